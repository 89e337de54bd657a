"""Signing and verifying texts by OpenSSH keys (`ssh-keygen -Y`), and who may sign what for a system. Controller only.

The rules themselves live in `ticket.py`, because the bot's host must hold them in one file; here they are the same code.
"""
from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from . import ticket
from .errors import GoliveError

ARM, ATTEST, WAIVER, EVIDENCE = NAMESPACES = ("golive-arm", "golive-attest", "golive-waiver", "golive-evidence")


class SigningError(GoliveError):
    """A text cannot be signed or its signature does not hold; `code` is the stable word of `ticket.Refused`."""

    def __init__(self, what: str, *, code: str = "signing", **words: Any) -> None:
        super().__init__(what, **words)
        self.code = code


def read_bundle(path: Path) -> tuple[bytes, dict[str, bytes]]:
    """Return the text of `<name>.json` and its signatures by principal, from `<name>.json.<principal>.sig` beside it."""
    try:
        data = path.read_bytes()
        signatures = {one.name[len(path.name) + 1:-len(".sig")]: one.read_bytes()
                      for one in sorted(path.parent.glob(f"{path.name}.*.sig"))}
    except OSError as exc:
        raise SigningError("cannot be read", where=path.name, found=exc.strerror, code="missing") from None
    return data, signatures


def examine_ticket(directory: Path, signers: bytes, policy: Mapping[str, Any], now: datetime) -> tuple[dict[str, Any], list[ticket.Signed]]:
    """Return a signed ticket and its signers, judged as the host will judge it, before anything is sent. Raises ticket.Refused."""
    data, signatures = read_bundle(directory / "ticket.json")
    found, signed = ticket.examine(data, signatures, signers, policy, now)
    ticket.check_window(found, now)
    return found, signed


def sign(data: bytes, key: Path, namespace: str) -> bytes:
    """Return the armoured signature over `data` by a private key file (or the public half of a key in the agent)."""
    if namespace not in NAMESPACES:
        raise SigningError("not a namespace of golive", found=namespace, expected=", ".join(NAMESPACES))
    done = subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace], input=data, capture_output=True, check=False)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SigningError("ssh-keygen did not sign", where=key.name, found=words[-1][:200] if words else "no reason")
    return done.stdout


def signers_of(signers_dir: Path, rehearsal: bool) -> bytes:
    """Return the allowed_signers of a system for a kind of run, after checking that no key of the lab is enrolled for production."""
    texts = {}
    for kind in ("production", "rehearsal"):
        path = signers_dir / f"{kind}.allowed_signers"
        texts[kind] = path.read_bytes() if path.is_file() else b""
    production = {one.key: one.principal for one in ticket.parse_signers(texts["production"], False, "production.allowed_signers")}
    for one in ticket.parse_signers(texts["rehearsal"], True, "rehearsal.allowed_signers"):
        if one.key in production:
            raise SigningError(f"the key of {one.principal} is born with the lab and enrolled for production as {production[one.key]}",
                               where="production.allowed_signers", todo="take it out: whoever holds the lab could arm production",
                               code="lab_signed")
    return texts["rehearsal" if rehearsal else "production"]


def verify(path: Path, namespace: str, signers: bytes, persons: Mapping[str, Mapping[str, Any]], now: datetime,
           rehearsal: bool) -> tuple[bytes, list[ticket.Signed]]:
    """Return a text and who signed it; at least one signature, every one of them good. Raises SigningError."""
    data, signatures = read_bundle(path)
    if not signatures:
        raise SigningError("is not signed", where=path.name, todo="sign it: python -m golive.sign",
                           code="too_few")
    try:
        known = ticket.parse_signers(signers, rehearsal)
        return data, ticket.verify_people(data, signatures, namespace, known, persons, now, path.name, rehearsal)
    except ticket.Refused as exc:
        raise SigningError(str(exc), where=path.name, code=exc.code) from None


def write_signature(path: Path, principal: str, signature: bytes) -> Path:
    """Write a signature beside its text and return where."""
    target = path.with_name(f"{path.name}.{principal}.sig")
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.write_bytes(signature)
    fresh.replace(target)
    return target


def distinct(signed: Sequence[ticket.Signed]) -> int:
    """Return how many people signed: counted by key and by person, whichever is fewer."""
    return min(len({one.key for one in signed}), len({one.person for one in signed}))
