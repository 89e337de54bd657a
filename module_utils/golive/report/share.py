"""What may leave the house? Cuts the records down to allow-listed fields before a report is built from them.

Allow-listed, not black-listed: a fact that nobody has thought about stays at home. Kept are the texts of the repository (titles,
lines, remedies), verdicts, times, counts and facts that say how good something is without saying what or where it is.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import operators
from ..catalogue import WITNESSES
from ..judge import VERDICTS
from .hostile import words
from .model import FirstScreen, Report, Sighting
from .records import PhaseRecords, Record, Records

LEFT_OUT = "left out of this edition"
FACTS = frozenset({
    "age_days", "authenticates", "count", "enabled", "exists", "failed", "human_needed", "ip.equals_egress", "ip.restricted", "missing",
    "modes", "passed", "placeholders", "ratio", "result.entries", "result.entries_after", "result.entry_orders_left", "result.exits",
    "result.seconds_to_first_cancel", "result.seconds_to_final", "result.seconds_to_no_entries", "result.stays_off", "result.stops_kept",
    "rights.granted", "rights.unknown", "rights.withdraw", "running", "stage", "status", "undecided", "unjudged", "valid", "violations",
    "voided", "expired"})
"""Facts whose value may be shown to other eyes: states, counts, ages and seconds, no address, name, path, amount or free text."""
_WORD = re.compile(r"[a-z][a-z_]{0,23}")
_DIGESTS = frozenset({"golive", "catalogue", "checklist"})
"""Digests of public text. A digest of a configuration can be guessed back by whoever knows its form."""
_VERDICT = ("control", "title", "severity", "phase", "subject", "vantage", "host", "at", "until", "tags", "remedy", "contained_by", "how",
            "closes")


def records(found: Records) -> Records:
    """Return records with allow-listed fields only; hosts are called `host 1`, `host 2` in the order of the inventory."""
    names = _names(found)
    return replace(
        found,
        run={**_some(found.run, "run", "system", "rehearsal", "mode", "started"), "release": _public(found.run.get("release")),
             "groups": {group: [names[host] for host in words(members)] for group, members in found.groups.items()}},
        profile={},
        compiled={**found.compiled, "controls": _controls(found.compiled.get("controls"))},
        phases={phase: _phase(kept, names) for phase, kept in found.phases.items()},
        changes=tuple({**_some(line, "role", "op", "check", "at"), "host": names.get(str(line.get("host")), ""),
                       "object": str(line.get("object")).split(":")[0]} for line in found.changes),
        hosts=tuple({**_some(line, "status", "phase", "at"), "host": names.get(str(line.get("host")), ""), "text": LEFT_OUT}
                    for line in found.hosts),
        audit=tuple({**_some(line, "act", "at"), "detail": _stage(line.get("detail"))} for line in found.audit),
        problems=(f"{len(found.problems)} defects of the run's records are {LEFT_OUT}",) if found.problems else (),
        finished=None if found.finished is None else _some(found.finished, "at", "exit"))


def mark(report: Report) -> Report:
    """Return the report marked as an edition for other eyes: what was left out must not read as not seen."""
    first: FirstScreen = replace(
        report.first,
        venue=Sighting("Venue", LEFT_OUT),
        release_changes="What changed since the last ticket is left out of this edition.",
        exposure=tuple(replace(one, value=LEFT_OUT, alarming=False) for one in report.first.exposure),
        stop=(Sighting("From a phone", LEFT_OUT), *report.first.stop[1:]))
    return replace(report, first=first, shared=True)


def _names(found: Records) -> dict[str, str]:
    """Return an alias for every host that any record names."""
    hosts = [host for members in found.groups.values() for host in words(members)]
    hosts += [str(line.get("host")) for line in (*found.changes, *found.hosts)]
    for kept in found.phases.values():
        hosts += kept.seeing_hosts
        verdicts = (kept.gate or {}).get("verdicts")
        for one in verdicts if isinstance(verdicts, list) else []:
            hosts += [str(one[key]) for key in ("subject", "host") if isinstance(one, dict) and one.get(key)]
    return {host: f"host {number}" for number, host in enumerate(dict.fromkeys(hosts), 1)}


def _controls(controls: Any) -> dict[str, Any]:
    """Leave the profile's numbers out of the frozen controls."""
    kept = ("title", "severity", "phase", "on", "probe", "seen_from", "when_live", "remedy", "how", "contained_by", "waivable", "tags",
            "drift", "why", "proof")
    return {name: _some(fields, *kept) for name, fields in controls.items() if isinstance(fields, dict)} \
        if isinstance(controls, dict) else {}


def _some(record: Record, *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _phase(kept: PhaseRecords, names: Mapping[str, str]) -> PhaseRecords:
    gate = None
    if kept.gate is not None:
        verdicts = kept.gate.get("verdicts")
        gate = {**_some(kept.gate, "phase", "open", "at"),
                "verdicts": [_verdict(one, names) for one in verdicts if isinstance(one, dict)] if isinstance(verdicts, list) else []}
    return PhaseRecords(tuple({**_some(one, "control", "probe", "witness", "at"), "facts": _facts(one.get("facts"))}
                              for one in kept.observations),
                        tuple(names.get(host, host) for host in kept.seeing_hosts), gate)


def _verdict(one: Record, names: Mapping[str, str]) -> dict[str, Any]:
    shown = _some(one, *_VERDICT)
    for key in ("subject", "host"):
        shown[key] = names.get(str(one[key])) if one.get(key) else None
    seen, wanted = _facts(one.get("seen")), _facts(one.get("wanted"))
    verdict, witness, opportunities = one.get("verdict"), one.get("witness"), one.get("opportunities")
    return {**shown, "verdict": verdict if verdict in VERDICTS else "none", "witness": witness if witness in WITNESSES else None,
            "opportunities": opportunities if operators.number(opportunities) is not None else None,
            "seen": seen, "wanted": {name: wanted[name] for name in wanted if name in seen},
            "reason": "as wanted" if verdict == "pass" else f"the reason is {LEFT_OUT}"}


def _facts(facts: Any) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name in FACTS and _says_how_good(value)} if isinstance(facts, dict) else {}


def _says_how_good(value: Any) -> bool:
    """Tell whether a value is a yes or no, a number, plain words such as `read` and `trade`, or tests of such values."""
    if isinstance(value, dict):
        return all(_says_how_good(one) for one in value.values())
    if isinstance(value, list):
        return all(_says_how_good(one) for one in value)
    return isinstance(value, bool) or operators.number(value) is not None or (isinstance(value, str) and _WORD.fullmatch(value) is not None)


def _public(release: Any) -> dict[str, str]:
    return {name: value for name, value in release.items() if name in _DIGESTS} if isinstance(release, dict) else {}


def _stage(detail: Any) -> dict[str, Any]:
    return {key: detail[key] for key in ("stage", "stages") if key in detail} if isinstance(detail, dict) else {}
