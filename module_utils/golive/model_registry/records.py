"""What people and machines have signed about a candidate, read where the registry is (standard library and ssh-keygen only)."""
from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .. import canonical, signing
from ..envelope import Envelope, Reader
from ..errors import Undecided
from ..evidence import newest
from ..people import People
from ..signing import SigningError
from .errors import RegistryError

STATEMENT = "model.approved"
TRACK_RECORD, CANARY = ("ledger", "model_predictions"), ("drill", "model_canary")


class Enrolled(NamedTuple):
    """Who may sign for a system: text of an allowed_signers file, persons and issuers as in roles.yml."""

    system: str
    signers: bytes
    people: People

    def reader(self, now: datetime) -> Reader:
        """Return the reader of signed records at a moment."""
        return Reader(self.system, self.signers, self.people, now)


def enrolled(system: str, rehearsal: bool, signers: str, people: Mapping[str, Any], issuers: Mapping[str, Any]) -> Enrolled:
    """Return who may sign, from what a task was given."""
    for name, one in people.items():
        if not isinstance(one, Mapping) or not isinstance(one.get("person"), str) or not isinstance(one.get("roles"), list):
            raise RegistryError("an entry of people does not have its form", code="usage", where=str(name),
                                expected="{person: NAME, roles: [WORDS]}")
    return Enrolled(system, signers.encode("utf-8"), People(rehearsal, dict(people), dict(issuers)))


def evidence(who: Enrolled, directory: str, which: Tuple[str, str], candidate: str, now: datetime) -> Mapping[str, Any]:
    """Return the result of the newest signed record about this candidate. Raises Undecided: none, expired, forged, another's."""
    kind, name = which
    try:
        found = newest(who.reader(now), Path(directory), kind, name)
    except SigningError as exc:
        raise Undecided(str(exc)) from None
    if found.subject != candidate:
        raise Undecided("the record %s is about %s, not about this candidate" % (found.id, found.subject[:19]))
    result = found.payload.get("result")
    if found.payload.get("passed") is not True or not isinstance(result, Mapping):
        raise Undecided("the record %s says that its own making failed" % found.id)
    return result


def approval_subject(scope: str, candidate: str, validation: str) -> str:
    """Return the digest that an approval is about: this candidate, judged with this result, for this scope."""
    return canonical.digest({"scope": scope, "candidate": candidate, "validation": validation})


class Approval(NamedTuple):
    """An approval that holds: its envelope, its bytes, and who counts."""

    envelope: Envelope
    data: bytes
    signatures: Mapping[str, bytes]
    people: List[Dict[str, str]]


def approval(who: Enrolled, directory: str, subject: str, role: str, needed: int, now: datetime) -> Approval:
    """Return the approval over a subject that enough distinct people of a role signed. Raises RegistryError `unsigned` or `too_few`."""
    if needed < 1:
        raise RegistryError("a model cannot be approved by nobody", code="usage", where="people", found=needed, expected="1 or more")
    told: List[str] = []
    best = 0
    for path in sorted(Path(directory).glob("*.json")):
        try:
            found = who.reader(now).read(path, "attestation")
            if found.payload.get("statement") != STATEMENT or found.subject != subject:
                continue
            data, signed = signing.verify(path, signing.ATTEST, who.signers, who.people.all(), now, who.people.rehearsal)
        except SigningError as exc:
            if exc.code != "wrong_kind":
                told.append(str(exc))
            continue
        counted = [one for one in signed if role in one.roles]
        if signing.distinct(counted) >= needed:
            _data, signatures = signing.read_bundle(path)
            people = [{"principal": one.principal, "person": one.person} for one in sorted(counted)]
            return Approval(found, data, signatures, people)
        best = max(best, signing.distinct(counted))
    if best:
        raise RegistryError("signed by too few", code="too_few", found="%d of %d people with the role %s" % (best, needed, role),
                            todo="have others sign the same text: python -m golive.sign")
    raise RegistryError("not approved: no signed approval is about this candidate with this validation", code="unsigned",
                        found=told[-1][:200] if told else "none", todo="sign it (docs/how-to/promote-a-model.md); a new validation "
                        "needs a new approval")


def manifest_signers(who: Enrolled, manifest: bytes, signatures: Mapping[str, bytes], roles: Sequence[str],
                     now: datetime) -> Tuple[List[str], Any]:
    """Return (principals of one of the roles whose signature over a manifest holds, why one does not or None)."""
    from .. import ticket  # noqa: PLC0415 (only where something is signed)

    if not signatures:
        return [], None
    try:
        known = ticket.parse_signers(who.signers, who.people.rehearsal)
        signed: Sequence[ticket.Signed] = ticket.verify_people(manifest, signatures, signing.EVIDENCE, known, who.people.all(), now,
                                                               "the manifest", who.people.rehearsal)
    except ticket.Refused as exc:
        return [], str(exc)
    return [one.principal for one in signed if set(roles) & set(one.roles)], None
