"""Was the whole rebuilt from nothing, and how long did it take until paper was green? Read out of what the runs of this system recorded.

The journey is the drill: hosts that were bare when a run began (nothing of golive on them, packages still to come), and the first open
gate of paper after it, about the same release. Nothing is destroyed for it: `python -m golive.lab reset` is a person's decision.
"""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..canonical import parse_utc

NAME = "rebuild_to_paper"
PHASES = ("preflight", "provision", "deploy", "verify", "paper")
# What a host has not, that golive never touched. Both: a folder may be removed by hand, a package may come with the image.
BARE = ("dir:/etc/golive", "package:")


@dataclass(frozen=True)
class Run:
    """One run as its directory tells it."""

    info: Mapping[str, Any]
    release: str | None
    changes: Sequence[Mapping[str, Any]]
    gates: Mapping[str, Mapping[str, Any]]


def read(reports: Path) -> list[Run]:
    """Return the real runs of a system, the oldest first. What cannot be read is no run."""
    found = []
    for path in sorted(reports.glob("2*Z-*")):
        info = _json(path / "run.json")
        if info is None or info.get("mode") != "real":
            continue
        gates = {phase: gate for phase in PHASES if (gate := _json(path / phase / "gate.json")) is not None}
        found.append(Run(info, (_json(path / "release.json") or {}).get("artifact"), changes_of(path), gates))
    return found


def bare(run: Run, host: str, *, predicted: bool = False) -> bool:
    """Return whether a run found a host with nothing of golive on it: by what it made there, or by what it predicted."""
    made = [str(one.get("object")) for one in run.changes
            if one.get("host") == host and one.get("op") in ("create", "install") and bool(one.get("check")) is predicted]
    return BARE[0] in made and any(one.startswith(BARE[1]) for one in made)


def last(runs: Sequence[Run], release: str, hosts: Sequence[str]) -> dict[str, Any] | None:
    """Return the payload's part of the newest rebuild of all hosts that reached an open gate of paper with this release, or None."""
    begun: list[int] = []
    for host in hosts:
        where = [number for number, run in enumerate(runs) if bare(run, host)]
        if not where:
            return None
        begun.append(where[-1])
    if not hosts:
        return None
    ended = next((run for run in runs[max(begun):] if run.release == release and run.gates.get("paper", {}).get("open") is True), None)
    if ended is None:
        return None
    first = runs[min(begun)]
    seconds = (parse_utc(ended.gates["paper"]["at"]) - parse_utc(first.info["started"])).total_seconds()
    verdicts = [one for phase in PHASES for one in ended.gates.get(phase, {}).get("verdicts", ())]
    red = [one for one in verdicts if one["verdict"] in ("fail", "undecided")]
    result = {"rto_s": seconds, "controls_red": sum(1 for one in red if one["closes"]), "controls_green": len(verdicts) - len(red),
              "red_that_close_nothing": sorted({str(one["control"]) for one in red if not one["closes"]}), "hosts": sorted(hosts),
              "runs": sorted({str(first.info["run"]), str(ended.info["run"])})}
    return {"passed": True, "result": result, "opportunities": len(hosts)}


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def changes_of(path: Path) -> list[dict[str, Any]]:
    """Return the changes that the run in a directory made, or predicted."""
    try:
        lines = (path / "changes.jsonl").read_text("utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue  # the last line of a run that was killed
    return [one for one in found if isinstance(one, dict)]
