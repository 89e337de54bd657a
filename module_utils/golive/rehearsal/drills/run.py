"""Which drills have no record for the installed release yet: run them, and sign what was measured as `lab-drill`."""
from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ... import envelope, evidence, rehearsal_signers
from ...errors import GoliveError, Undecided
from ...judge import PASS, judge
from .hosts import NotSeen
from .scene import InUse, Scene

ISSUER, LASTS = "lab-drill", timedelta(days=7)
Drill = Callable[[Scene], tuple[dict[str, Any], int]]
Controls = Collection[Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What was done for one drill: `op` is none (a record holds) or create."""

    drill: str
    op: str
    text: str

    def change(self) -> dict[str, Any]:
        """Return the change in the form that every set module reports."""
        return {"object": f"evidence:drill/{self.drill}", "op": "create", "before": None, "after": None}


def missing(root: Path, system: str, names: Sequence[str], directory: Path, subject: str | None, controls: Controls) -> list[str]:
    """Return the drills that have no record of this release by which every control that asks for it is green.

    All of them while no release is known. What was red is drilled again: its cause may be gone without a new release.
    """
    if subject is None:
        return list(names)
    now = datetime.now(timezone.utc)
    reader = envelope.reader(root, system, now, rehearsal=True)
    return [name for name in names if not _green(name, reader, directory, subject, controls, now)]


def _green(name: str, reader: envelope.Reader, directory: Path, subject: str, controls: Controls, now: datetime) -> bool:
    try:
        newest = evidence.newest(reader, directory, "drill", name)
        facts = evidence.facts(newest, subject, now)
    except Undecided:
        return False
    seen = {"facts": facts, "witness": newest.payload["witness"], "opportunities": newest.payload["opportunities"]}
    asking = [one for one in controls if one.get("probe") == "drill" and one.get("ask", {}).get("name") == name]
    return bool(facts["passed"]) and all(judge(one, seen).verdict == PASS for one in asking)


def run(root: Path, system: str, names: Sequence[str], directory: Path, subject: str, drills: Mapping[str, Drill],
        scene: Callable[[], AbstractContextManager[Scene]], controls: Controls = ()) -> list[Outcome]:
    """Run and sign what is missing. A drill whose conditions did not come true is signed as failed, with what was not seen."""
    key = rehearsal_signers.key_of(root, system, ISSUER)
    todo = missing(root, system, names, directory, subject, controls)
    done = [Outcome(name, "none", "there is a record of this release") for name in names if name not in todo]
    for name in todo:
        payload = measure(name, drills[name], scene)
        data = envelope.build(kind="drill", name=name, system=system, subject=subject, issued=datetime.now(timezone.utc), lasts=LASTS,
                              issuer=ISSUER, role="issuer", payload=payload)
        path = envelope.write(directory, data, key, ISSUER)
        words = "measured" if payload["passed"] else f"FAILED ({payload['result'].get('not_seen', 'see the record')})"
        done.append(Outcome(name, "create", f"{words}, signed {path.name}"))
    return done


def measure(name: str, drill: Drill, scene: Callable[[], AbstractContextManager[Scene]]) -> dict[str, Any]:
    """Run one drill in a scene of its own and return its payload.

    `passed` says that the drill came to its end and saw what it needs; whether the figures are good enough is the control's question.
    """
    try:
        with scene() as stage:
            result, opportunities = drill(stage)
        passed = True
    except InUse:
        raise
    except (NotSeen, GoliveError) as exc:
        result, opportunities, passed = {"not_seen": f"did not come true: {exc}"[:300]}, 0, False
    return {"name": name, "passed": passed, "result": result, "opportunities": opportunities, "witness": "venue"}
