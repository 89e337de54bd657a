"""How a person signs: `python -m golive.sign ticket|attest|beside|waive`. Shows in words what is signed; the key never leaves the person.

A ticket is only signed by who types the loss it allows: a signature that nobody read is worth nothing.
"""
from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from . import attestation, audit, draft, envelope, session, signing, ticket
from .errors import GoliveError

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def main(argv: list[str] | None = None) -> int:
    """Sign what the arguments say; exit 0 signed, 1 refused with one sentence."""
    args = _parser().parse_args(argv)
    try:
        return int(args.act(args))
    except (GoliveError, ticket.Refused) as exc:
        print(f"sign: {exc}", file=sys.stderr)
        return 1


def sign_ticket(args: argparse.Namespace) -> int:
    """Sign a drafted ticket, after the signer has typed the loss it allows."""
    path = Path(args.folder) / "ticket.json"
    data, _ = signing.read_bundle(path)
    found = ticket.parse_ticket(data)
    print(draft.words(found))
    typed = args.worst_loss if args.worst_loss is not None else input("Type the loss that this ticket allows: ")
    try:
        same = Decimal(typed.strip()) == Decimal(found["budget"]["loss"])
    except InvalidOperation:
        same = False
    if not same:
        raise GoliveError("that is not the loss this ticket allows", found=repr(typed)[:40], todo="read it again; nothing was signed")
    _signed(path, args, data, signing.ARM, "rehearsal" if found["rehearsal"] else "production", found["system"])
    return 0


def sign_attestation(args: argparse.Namespace) -> int:
    """Write and sign an attestation with typed values."""
    values = _pairs(args.value)
    if args.statement not in attestation.STATEMENTS:
        raise GoliveError("no such statement", found=args.statement, expected=", ".join(sorted(attestation.STATEMENTS)))
    attestation.check_values(args.statement, values, args.statement)
    payload = {"statement": args.statement, "values": values, "audit_head": _head(args.system)}
    return _record(args, "attestation", args.statement, args.role, args.subject, payload, "attestations")


def sign_beside(args: argparse.Namespace) -> int:
    """Sign a record that somebody else wrote, where one text needs several people (an approval of a model)."""
    path = Path(args.path)
    data, _ = signing.read_bundle(path)
    record = envelope.parse(data, path.name)
    print(json.dumps(record, indent=1))
    _signed(path, args, data, envelope.NAMESPACE[record["kind"]], "production", record["system"])
    return 0


def sign_waiver(args: argparse.Namespace) -> int:
    """Write and sign a waiver for one control, one release and the observed values."""
    payload = {"control": args.control, "reason": args.reason, "release": args.release, "facts": _pairs(args.fact),
               "audit_head": _head(args.system)}
    return _record(args, "waiver", args.control, "approver", args.release, payload, "waivers")


def _record(args: argparse.Namespace, kind: str, name: str, role: str, subject: str, payload: dict[str, Any], folder: str) -> int:
    data = envelope.build(kind=kind, name=name, system=args.system, subject=subject, issued=datetime.now(timezone.utc),
                          lasts=_span(args.lasts), issuer=args.name, role=role, payload=payload)
    path = envelope.write(session.ROOT / folder / args.system, data, Path(args.key), args.name)
    print(f"signed: {path.relative_to(session.ROOT)}\n{json.dumps(json.loads(data), indent=1)}")
    _warn_unless_enrolled(path, data, args.name, envelope.NAMESPACE[kind], "production", args.system)
    return 0


def _signed(path: Path, args: argparse.Namespace, data: bytes, namespace: str, kind: str, system: str) -> None:
    if args.name.startswith(ticket.LAB_PREFIX):
        raise GoliveError("is a name of the lab", found=args.name, todo="sign with your own name as it is enrolled")
    target = signing.write_signature(path, args.name, signing.sign(data, Path(args.key), namespace))
    print(f"signed: {target.name}")
    _warn_unless_enrolled(path, data, args.name, namespace, kind, system)


def _warn_unless_enrolled(path: Path, data: bytes, name: str, namespace: str, kind: str, system: str) -> None:
    """A signature that will be refused later should be seen now, by the person who can mend it."""
    signers = ticket.parse_signers(signing.signers_of(session.ROOT / "signers" / system, kind == "rehearsal"), kind == "rehearsal")
    signature = path.with_name(f"{path.name}.{name}.sig").read_bytes()
    ticket.verify_signature(data, signature, name, namespace, signers, datetime.now(timezone.utc), path.name)
    print("it holds against the enrolled keys")


def _head(system: str) -> str:
    return str(audit.AuditLog(str(session.reports_of(system) / "audit.jsonl")).head())


def _pairs(texts: list[str]) -> dict[str, Any]:
    """Return `name=value` pairs; a value is JSON where it is JSON, else text. Fractions stay text, never binary."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or name in found:
            raise GoliveError("not a new name=value", found=text[:60])
        try:
            found[name] = json.loads(value, parse_float=str)
        except ValueError:
            found[name] = value
    return found


def _span(text: str) -> timedelta:
    match = re.match(r"([1-9][0-9]{0,3})([mhd])\Z", text)
    if match is None:
        raise GoliveError("not a span of time", found=text[:20], expected="such as 30m, 72h or 90d")
    return timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m golive.sign", description="Sign a ticket, an attestation or a waiver.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("ticket", help="sign a drafted ticket")
    one.add_argument("folder", help="reports/<system>/tickets/<host>")
    one.add_argument("--worst-loss", help="the loss the ticket allows, typed by who signs; asked for if left out")
    one.set_defaults(act=sign_ticket)
    two = commands.add_parser("attest", help="state something by signature")
    two.add_argument("statement", help="see golive.attestation.STATEMENTS")
    two.add_argument("--role", required=True)
    two.add_argument("--subject", required=True, help="digest of what it is about, sha256:…")
    two.add_argument("--value", action="append", default=[], metavar="NAME=VALUE")
    two.add_argument("--lasts", default="30d")
    two.set_defaults(act=sign_attestation)
    three = commands.add_parser("waive", help="take a red line upon yourself")
    three.add_argument("control")
    three.add_argument("--reason", required=True)
    three.add_argument("--release", required=True, help="digest of the release it is for, sha256:…")
    three.add_argument("--fact", action="append", default=[], required=True, metavar="NAME=VALUE",
                       help="an observed value, as the report shows it")
    three.add_argument("--lasts", default="24h")
    three.set_defaults(act=sign_waiver)
    four = commands.add_parser("beside", help="sign a record that somebody else wrote, beside their signature")
    four.add_argument("path", help="attestations/<system>/<record>.json")
    four.set_defaults(act=sign_beside)
    for sub in (one, two, three, four):
        sub.add_argument("--as", dest="name", required=True, help="your name in allowed_signers")
        sub.add_argument("--key", required=True, help="your private key file, or the public half of a key in the agent")
    for sub in (two, three):
        sub.add_argument("--system", required=True)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
