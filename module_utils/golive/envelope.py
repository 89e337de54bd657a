"""The one form in which people and machines hand in signed records: attestations, waivers, evidence. One reader for all.

`<id>.json` in canonical JSON with `<id>.json.<principal>.sig` beside it:
`{kind, id, system, subject, issued, expires, issuer, role, payload}`. `subject` is the digest of what it is about.
"""
from __future__ import annotations

import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from . import canonical, signing, ticket
from .errors import GoliveError
from .people import EVIDENCE_KINDS, People
from .people import load as load_people
from .signing import SigningError

FIELDS = {"kind", "id", "system", "subject", "issued", "expires", "issuer", "role", "payload"}
NAMESPACE = {"attestation": signing.ATTEST, "waiver": signing.WAIVER, **dict.fromkeys(EVIDENCE_KINDS, signing.EVIDENCE)}
CLOCK_TOLERANCE = timedelta(seconds=60)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,120}\Z")


@dataclass(frozen=True)
class Envelope:
    """A record whose signatures hold now. `people` counts distinct signers; `issued` and `expires` are UTC."""

    kind: str
    id: str
    system: str
    subject: str
    issued: datetime
    expires: datetime
    issuer: str
    role: str
    payload: Mapping[str, Any]
    people: int
    persons: tuple[str, ...]


@dataclass(frozen=True)
class Reader:
    """Reads records of one system for one kind of run, at one moment."""

    system: str
    signers: bytes
    people: People
    now: datetime

    def read(self, path: Path, kind: str) -> Envelope:
        """Return the record, or raise SigningError whose `code` and sentence say which rule it breaks."""
        data, signed = signing.verify(path, NAMESPACE[kind], self.signers, self.people.all(), self.now, self.people.rehearsal)
        record = parse(data, path.name)
        where = path.name
        _same_kind(record["kind"], kind, where)
        if path.name != f"{record['id']}.json":
            raise SigningError("is filed under another name than it was signed for", where=where, found=record["id"],
                               code="changed_subject")
        if record["system"] != self.system:
            raise SigningError("is for another system", where=where, found=record["system"], expected=self.system, code="wrong_system")
        author = next((one for one in signed if one.principal == record["issuer"]), None)
        if author is None:
            raise SigningError(f"names {record['issuer']} as its issuer, who did not sign it", where=where, code="wrong_issuer")
        role = f"issuer:{kind}" if kind in EVIDENCE_KINDS else record["role"]
        if role not in author.roles:
            raise SigningError(f"is signed by {author.principal}, who may not issue it", where=where,
                               found=", ".join(author.roles) or "no role", expected=role, code="wrong_role")
        issued, expires = canonical.parse_utc(record["issued"]), canonical.parse_utc(record["expires"])
        if issued > self.now + CLOCK_TOLERANCE:
            raise SigningError(f"is not yet valid: issued {record['issued']}, now is {canonical.utc(self.now)}", where=where,
                               code="not_yet_valid")
        if expires <= self.now:
            raise SigningError(f"expired at {record['expires']}", where=where, todo="have it signed again", code="expired")
        return Envelope(kind, record["id"], record["system"], record["subject"], issued, expires, record["issuer"], record["role"],
                        record["payload"], signing.distinct(signed), tuple(sorted({one.person for one in signed})))

    def read_all(self, directory: Path, kind: str, name: str = "") -> tuple[list[Envelope], list[SigningError]]:
        """Return the records of a kind in a directory, newest first, and what is wrong with each of the others.

        `name`: only those filed under it. Each signature costs a process of ssh-keygen, and records are kept for ever.
        """
        good: list[Envelope] = []
        bad: list[SigningError] = []
        for path in sorted(directory.glob(f"{glob.escape(name)}-*.json" if name else "*.json")):
            try:
                _same_kind(_claimed(path, kind), kind, path.name)
                good.append(self.read(path, kind))
            except SigningError as exc:
                if exc.code != "wrong_kind":
                    bad.append(exc)
        return sorted(good, key=lambda one: one.issued, reverse=True), bad


def _same_kind(found: str, kind: str, where: str) -> None:
    if found != kind:
        raise SigningError("is another kind of record", where=where, found=found, expected=kind, code="wrong_kind")


def _claimed(path: Path, kind: str) -> str:
    """Return which kind of its namespace a record says to be, before anything is verified: it is examined when that one is read."""
    try:
        claimed = str(parse(path.read_bytes(), path.name)["kind"])
    except (OSError, SigningError):
        return kind
    return claimed if NAMESPACE[claimed] == NAMESPACE[kind] else kind


def parse(data: bytes, where: str) -> dict[str, Any]:
    """Return a record in its one form, not yet verified. Raises SigningError("malformed")."""
    try:
        record = ticket.parse_canonical(data, where)
    except ticket.Refused as exc:
        raise SigningError(str(exc), where=where, code="malformed") from None
    texts = ("kind", "id", "system", "subject", "issued", "expires", "issuer", "role")
    if set(record) != FIELDS or not all(isinstance(record[name], str) for name in texts) or not isinstance(record["payload"], dict):
        raise SigningError("has not the fields of a signed record", where=where, expected=", ".join(sorted(FIELDS)), code="malformed")
    if record["kind"] not in NAMESPACE or _ID.match(record["id"]) is None or re.match(r"sha256:[0-9a-f]{64}\Z", record["subject"]) is None:
        raise SigningError("has a kind, id or subject of a wrong form", where=where, code="malformed")
    try:
        ordered = canonical.parse_utc(record["issued"]) < canonical.parse_utc(record["expires"])
    except GoliveError as exc:
        raise SigningError(str(exc), where=where, code="malformed") from None
    if not ordered:
        raise SigningError("expires before it was issued", where=where, code="malformed")
    return record


def build(*, kind: str, name: str, system: str, subject: str, issued: datetime, lasts: timedelta, issuer: str, role: str,
          payload: Mapping[str, Any]) -> bytes:
    """Return the text to be signed. The id carries the time, so that a newer record never replaces an older one."""
    stamp = canonical.utc(issued).replace(":", "").replace("-", "")
    data = canonical.encode({"kind": kind, "id": f"{name}-{stamp}", "system": system, "subject": subject, "issued": canonical.utc(issued),
                             "expires": canonical.utc(issued + lasts), "issuer": issuer, "role": role, "payload": dict(payload)})
    parse(data, name)
    return data


def write(directory: Path, data: bytes, key: Path, principal: str) -> Path:
    """Sign a record and file it: the signature first, so that a record never lies there unsigned. Returns its path."""
    record = parse(data, "the record")
    path = directory / f"{record['id']}.json"
    directory.mkdir(parents=True, exist_ok=True)
    signing.write_signature(path, principal, signing.sign(data, key, NAMESPACE[record["kind"]]))
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(data)
    fresh.replace(path)
    return path


def reader(root: Path, system: str, now: datetime, *, rehearsal: bool) -> Reader:
    """Return the reader of a system, from `signers/<system>/` of the repository at `root`."""
    folder = root / "signers" / system
    try:
        signers = signing.signers_of(folder, rehearsal)
    except ticket.Refused as exc:
        raise SigningError(str(exc), code=exc.code) from None
    return Reader(system, signers, load_people(folder / "roles.yml", rehearsal), now)
