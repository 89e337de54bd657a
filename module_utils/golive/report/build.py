"""How does a run directory become a report? Joins records, verdicts and the first screen."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from . import first_screen, share, verdicts
from .hostile import clean, moment, words
from .model import Change, Control, Gate, Host, Report, count
from .records import FOLDERS, Records, read


def build(run_dir: Path, *, shared: bool = False, running: bool = False) -> Report:
    """Build the report of one run from its directory alone; nothing else is read, nothing is written.

    Works for a run that was killed at any moment. Raises GoliveError only where `run_dir` is no run directory. With `shared` it is
    an edition for other eyes: addresses, names and values that are not allow-listed never enter it. `running` says that the run is
    still going on, which its directory cannot tell from a kill.
    """
    records = replace(read(Path(run_dir)), running=running)
    if shared:
        return share.mark(_build(share.records(records)))
    return _build(records)


def _build(records: Records) -> Report:
    controls = verdicts.controls(records)
    items = verdicts.items(records, controls)
    reached = max((FOLDERS.index(phase) for phase in records.phases), default=None)
    reached_phase = None if reached is None else FOLDERS[reached]
    gates, hosts = _gates(records), _hosts(records)
    run, finished = records.run, records.finished
    release = run.get("release")
    exit_code = (finished or {}).get("exit")
    return Report(
        system=clean(run["system"], 120), run=clean(run["run"], 120),
        release={clean(name, 60): clean(value, 120) for name, value in release.items()} if isinstance(release, dict) else {},
        rehearsal=records.rehearsal, mode=clean(run.get("mode") or "not recorded", 40),
        started=moment(run.get("started")), finished=first_screen.finished_at(records),
        result=clean(finished["result"]) if finished and "result" in finished else None,
        exit=exit_code if isinstance(exit_code, int) and not isinstance(exit_code, bool) else None,
        reached_phase=reached_phase, last_at=records.last_at,
        controls=tuple(controls), items=tuple(items), changes=_changes(records), hosts=tuple(hosts), gates=tuple(gates),
        first=first_screen.build(records, controls, gates, hosts, reached_phase),
        problems=(*records.problems, *_oddities(records, controls)),
        counts={"controls": count(controls), "items": count(items)})


def _oddities(records: Records, controls: list[Control]) -> list[str]:
    """Name verdicts on controls that this run's catalogue does not hold, and profile values that did not come from the inventory."""
    compiled = records.compiled.get("controls")
    known = {clean(control_id, 120) for control_id in compiled} if isinstance(compiled, dict) else set()
    told = [f"a gate judged {control.id}, which the compiled catalogue of this run does not hold"
            for control in controls if known and control.id not in known]
    shadowing = words(records.run.get("shadowing"))
    if shadowing:
        told.append(f"given on the command line instead of by the inventory: {', '.join(shadowing)}")
    return told


def _gates(records: Records) -> list[Gate]:
    gates = []
    for phase in FOLDERS:
        if phase not in records.phases:
            continue
        gate = records.phases[phase].gate
        if gate is None:
            gates.append(Gate(phase, None, None))
            continue
        gates.append(Gate(phase, gate["open"] if isinstance(gate.get("open"), bool) else None, moment(gate.get("at")),
                          _sentences(gate.get("closing"))))
    return gates


def _sentences(found: object) -> tuple[str, ...]:
    return tuple(clean(one) for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def _hosts(records: Records) -> list[Host]:
    """Return every host of the inventory and any other that was recorded; one that left no trace was not contacted."""
    groups: dict[str, list[str]] = {}
    for group, members in records.groups.items():
        for host in words(members):
            groups.setdefault(host, []).append(clean(group, 60))
    trouble = {clean(line.get("host") or "", 120): line for line in records.hosts}
    answered = {clean(host, 120) for kept in records.phases.values() for host in kept.seeing_hosts}
    answered |= {clean(line.get("host") or "", 120) for line in records.changes}
    result = []
    for host in [*groups, *sorted((set(trouble) | answered) - set(groups))]:
        member_of, line = tuple(groups.get(host, ())), trouble.get(host)
        if line is None:
            result.append(Host(host, member_of, "answered" if host in answered else "not contacted"))
            continue
        status = line.get("status")
        result.append(Host(host, member_of, str(status) if status in ("unreachable", "failed") else "failed",
                           clean(line.get("text") or ""), clean(line.get("phase") or "", 120), clean(line.get("task") or "", 120),
                           moment(line.get("at"))))
    return result


def _changes(records: Records) -> tuple[Change, ...]:
    return tuple(Change(host=clean(line.get("host") or "", 120), task=clean(line.get("task") or "", 160),
                        role=clean(line.get("role") or "", 80), object=clean(line.get("object") or "", 200),
                        op=clean(line.get("op") or "", 40), before=_short(line.get("before")), after=_short(line.get("after")),
                        check=line.get("check") is True, at=moment(line.get("at"))) for line in records.changes)


def _short(value: object) -> str:
    return "" if value is None else clean(value, 120)
