"""Records that a rehearsal makes by itself: which are missing for a release, and how one is signed. Controller only.

A record is missing while no newest one of this release holds by which every control that asks for it is green: what was red is
measured again, because its cause may be gone without a new release.
"""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .. import envelope, evidence, rehearsal_signers
from ..errors import Undecided
from ..judge import PASS, judge

LASTS = timedelta(days=7)
Controls = Collection[Mapping[str, Any]]
# Who signs a kind of record in a rehearsal; the probe that reads it, and the word by which a control asks that probe for it.
ISSUERS = {"drill": "lab-drill", "load": "lab-load"}
_READ_BY = {"drill": ("drill", "name"), "load": ("load_test", "profile")}


@dataclass(frozen=True)
class Outcome:
    """What was done for one record: `op` is none (a record holds) or create; `passed` is what the record says of itself."""

    kind: str
    name: str
    op: str
    text: str
    passed: bool = True

    def change(self) -> dict[str, Any]:
        """Return the change in the form that every set module reports."""
        return {"object": f"evidence:{self.kind}/{self.name}", "op": "create", "before": None, "after": None}


def result(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return what a task says: the records that were (or would be) made, and a line for each."""
    changes = [one.change() for one in outcomes if one.op == "create"]
    return {"changed": bool(changes), "changes": changes, "told": [f"{one.name}: {one.text}" for one in outcomes]}


def missing(root: Path, system: str, kind: str, names: Sequence[str], directory: Path, subject: str, controls: Controls) -> list[str]:
    """Return the names that have no record of this release by which every control that asks for it is green."""
    now = datetime.now(timezone.utc)
    reader = envelope.reader(root, system, now, rehearsal=True)
    return [name for name in names if not _green(name, reader, kind, directory, subject, controls, now)]


def _green(name: str, reader: envelope.Reader, kind: str, directory: Path, subject: str, controls: Controls, now: datetime) -> bool:
    try:
        newest = evidence.newest(reader, directory, kind, name)
        facts = evidence.facts(newest, subject, now)
    except Undecided:
        return False
    seen = {"facts": facts, "witness": newest.payload["witness"], "opportunities": newest.payload["opportunities"]}
    probe, word = _READ_BY[kind]
    asking = [one for one in controls if one.get("probe") == probe and one.get("ask", {}).get(word) == name]
    return bool(facts["passed"]) and all(judge(one, seen).verdict == PASS for one in asking)


def predicted(root: Path, system: str, kind: str, names: Sequence[str], directory: Path, subject: str, controls: Controls) -> list[Outcome]:
    """Return what a run would make, for a dry run."""
    return [Outcome(kind, name, "create", "would be measured and signed")
            for name in missing(root, system, kind, names, directory, subject, controls)]


def held(kind: str, names: Sequence[str], todo: Sequence[str]) -> list[Outcome]:
    """Return the outcomes of the names of which nothing had to be done."""
    return [Outcome(kind, name, "none", "there is a record of this release") for name in names if name not in todo]


def sign(root: Path, system: str, kind: str, directory: Path, subject: str, payload: Mapping[str, Any]) -> Outcome:
    """Sign and file a payload with the lab's key for this kind, and return what was done."""
    issuer = ISSUERS[kind]
    data = envelope.build(kind=kind, name=str(payload["name"]), system=system, subject=subject, issued=datetime.now(timezone.utc),
                          lasts=LASTS, issuer=issuer, role="issuer", payload=dict(payload))
    path = envelope.write(directory, data, rehearsal_signers.key_of(root, system, issuer), issuer)
    words = "measured" if payload["passed"] else f"FAILED ({payload['result'].get('not_seen', 'see the record')})"
    return Outcome(kind, str(payload["name"]), "create", f"{words}, signed {path.name}", bool(payload["passed"]))
