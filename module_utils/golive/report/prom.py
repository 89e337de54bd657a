"""What does monitoring scrape? A file for node_exporter's textfile collector; every series says system and rehearsal."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from ..canonical import parse_utc
from ..catalogue import PHASES
from ..judge import VERDICTS
from .model import TAGS, Report

_Sample = tuple[Mapping[str, str], float | int]


def text(report: Report) -> str:
    """Return the metrics. A time that is not known has no sample: absent, not zero."""
    common = {"system": report.system, "rehearsal": "unknown" if report.rehearsal is None else str(report.rehearsal).lower()}
    lines: list[str] = []

    def add(name: str, meaning: str, samples: Iterable[_Sample]) -> None:
        found = list(samples)
        if found:
            lines.extend((f"# HELP golive_{name} {meaning}", f"# TYPE golive_{name} gauge"))
            lines.extend(f"golive_{name}{_labels({**common, **labels})} {value}" for labels, value in found)

    add("run_info", "The run that this file was written from.", [(
        {"run": report.run, "mode": report.mode, "state": report.first.state, "reached_phase": report.reached_phase or "none"}, 1)])
    add("run_finished", "1: the run ended by itself; 0: it was killed.", [({}, int(report.finished is not None))])
    add("run_started_timestamp_seconds", "When the run started.", _time(report.started))
    add("run_finished_timestamp_seconds", "When the run ended.", _time(report.finished))
    add("run_last_record_timestamp_seconds", "The newest time that any record of the run carries.", _time(report.last_at))
    for kind in ("controls", "items"):
        counts = report.counts[kind]
        add(kind, f"How many {kind} have this verdict.", [({"verdict": verdict}, counts[verdict]) for verdict in VERDICTS])
        add(f"{kind}_tagged", f"How many {kind} rest on this weaker ground.", [({"tag": tag}, counts[tag]) for tag in TAGS])
    add("control", "1 for the verdict that each control has.", [(
        {"control": control.id, "severity": control.severity, "phase": control.phase, "verdict": control.verdict,
         "shown_as": control.shown_as}, 1)
        for control in report.controls])
    add("control_observed_timestamp_seconds", "The oldest observation that the verdict of a control rests on.", [
        sample for control in report.controls
        for sample in _time(min((row.at for row in control.rows if row.at), default=None), {"control": control.id})])
    gates = {gate.phase: gate.open for gate in report.gates}
    add("gate_open", "1: the gate of this phase is open. A phase that was not reached is closed.",
        [({"phase": phase}, int(gates.get(phase) is True)) for phase in PHASES])
    states = Counter(host.state for host in report.hosts)
    add("hosts", "How many hosts of the inventory are in this state.",
        [({"state": state}, states[state]) for state in ("answered", "unreachable", "failed", "not contacted")])
    predicted = sum(change.check for change in report.changes)
    add("changes", "How many changes the run made or predicted.",
        [({"made": "true"}, len(report.changes) - predicted), ({"made": "false"}, predicted)])
    add("earliest_timestamp_seconds", "The time before which waiting cannot be over.", _time(report.first.earliest))
    return "\n".join(lines) + "\n"


def _time(moment: str | None, labels: Mapping[str, str] | None = None) -> list[_Sample]:
    return [(labels or {}, int(parse_utc(moment).timestamp()))] if moment else []


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
