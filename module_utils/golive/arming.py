"""May this run arm? Pure rules over the record of the run: the gate is a precondition of the act, not a position in a playbook (M2).

`reasons()` returns every rule that is broken, in words; an empty list is the only yes.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from . import canonical
from .audit import Chain, parse_head
from .catalogue import PHASES
from .errors import GoliveError

BEFORE_ARMING = PHASES[: PHASES.index("signoff") + 1]
CLOSING = ("critical", "high")
RECORD_MAX_AGE = timedelta(hours=6)
OBSERVATION_MAX_AGE = timedelta(minutes=10)
CLOCK_TOLERANCE = timedelta(seconds=60)
GATE_ACT = "gate"


@dataclass(frozen=True)
class Record:
    """What the run directory says, read once. A file that is missing is None; `chain_problem` says why there is no chain.

    `gates` and `rejudged` are by phase: what was written, and what judging the same observations again gives.
    `gate_digests` are of the bytes of gate.json, as the audit chain must name them.
    """

    info: Mapping[str, Any]
    profile: Mapping[str, Any] | None
    compiled: Mapping[str, Any] | None
    subject: Mapping[str, Any] | None
    gates: Mapping[str, Mapping[str, Any] | None]
    gate_digests: Mapping[str, str]
    rejudged: Mapping[str, Sequence[Mapping[str, Any]]]
    finished: Mapping[str, Any] | None
    chain: Chain | None
    chain_problem: str = ""


@dataclass(frozen=True)
class Wish:
    """What somebody wants to do: arm `host` of `groups` with `ticket`, from a command line with `flags`."""

    run: str
    system: str
    host: str
    groups: Mapping[str, Sequence[str]]
    ticket: Mapping[str, Any]
    mode: str
    flags: Sequence[str] = field(default_factory=tuple)


def reasons(record: Record, wish: Wish, now: datetime, *, observation_max_age: timedelta = OBSERVATION_MAX_AGE,
            record_max_age: timedelta = RECORD_MAX_AGE) -> list[str]:
    """Return why arming is not allowed now; empty means it is."""
    return [*_run(record, wish, now, record_max_age), *_digests(record, wish), *_gates(record, wish, now, record_max_age),
            *_freshness(record, now, observation_max_age), *_audit(record, wish, now)]


def aged(gates: Mapping[str, Mapping[str, Any] | None], controls: Mapping[str, Mapping[str, Any]], now: datetime,
         most: timedelta = OBSERVATION_MAX_AGE / 2) -> list[str]:
    """Return the phases that must be observed again before arming: a critical control of theirs was seen too long ago.

    Half of what arming admits, so that what is observed again is young when it is judged.
    """
    found = []
    for phase in BEFORE_ARMING:
        for one in (gates.get(phase) or {}).get("verdicts", ()):
            if _seen_again(one, controls) and _age("", one.get("at"), now, most):
                found.append(phase)
                break
    return found


def _seen_again(verdict: Mapping[str, Any], controls: Mapping[str, Mapping[str, Any]]) -> bool:
    """Critical, observable without a stimulus, and asked of this system at all."""
    read_only = (controls.get(str(verdict.get("control"))) or {}).get("drift") is True
    return verdict.get("severity") == "critical" and read_only and verdict.get("verdict") != "not_applicable"


def _run(record: Record, wish: Wish, now: datetime, record_max_age: timedelta) -> list[str]:
    info, found = record.info, []
    if info.get("run") != wish.run:
        found.append(f"run.json is of run {info.get('run')}, this is run {wish.run}: the directory was copied")
    if info.get("system") != wish.system:
        found.append(f"the run is of system {info.get('system')}, not of {wish.system}")
    if info.get("mode") != "real":
        found.append(f"the run was opened as {info.get('mode')}, only a real run may arm")
    if record.finished is not None:
        found.append("the run is closed: a gate ended it, or it has reported")
    if wish.flags:
        found.append(f"{', '.join(wish.flags)} would walk around a gate; run the whole playbook")
    if info.get("shadowing"):
        found.append(f"-e overrides profile variables: {', '.join(info['shadowing'])}; write them into group_vars")
    if record.profile is not None:
        shadowing = sorted(set(info.get("extra_vars") or []) & set(record.profile.get("values", {})))
        if shadowing and not info.get("shadowing"):
            found.append(f"-e overrides profile variables: {', '.join(shadowing)}, and run.json hides it")
    if _lists(info.get("groups") or {}) != _lists(wish.groups):
        found.append("the inventory is not the one this run was opened with")
    if wish.host not in wish.groups.get("bots", ()):
        found.append(f"{wish.host} is not in the group bots")
    if bool(info.get("rehearsal")) != bool(wish.groups.get("rehearsal") and not wish.groups.get("production")):
        found.append("the run does not say rightly whether it is a rehearsal")
    return found + _age("the run was opened", info.get("started"), now, record_max_age)


def _digests(record: Record, wish: Wish) -> list[str]:
    """What people signed is what this run froze, and the frozen files are what they say they are."""
    found = []
    if record.profile is None or record.compiled is None or record.subject is None:
        missing = [name for name, one in (("profile.json", record.profile), ("compiled.json", record.compiled),
                                          ("release.json", record.subject)) if one is None]
        return [f"the run directory lacks {', '.join(missing)}"]
    frozen = dict(record.info.get("release") or {})
    body = {"values": record.profile.get("values"), "scaled": record.profile.get("scaled")}
    if canonical.digest(body) != frozen.get("profile"):
        found.append("profile.json is not the profile this run froze: it was edited")
    for key, name in (("controls", "catalogue"), ("checklist", "checklist")):
        if canonical.digest(record.compiled.get(key)) != frozen.get(name):
            found.append(f"compiled.json does not hold the {name} this run froze: it was edited")
    signed = wish.ticket["release"]
    now_is = {**frozen, **record.subject}
    for name in sorted(set(signed) | set(now_is)):
        if signed.get(name) != now_is.get(name):
            found.append(f"the {name} is {_short(now_is.get(name))}, the ticket was signed for {_short(signed.get(name))}; sign a new one")
    if wish.ticket["people"] != wish.mode:
        found.append(f"the ticket was made for {wish.ticket['people']!r}, the profile asks for {wish.mode!r}")
    if bool(wish.ticket["rehearsal"]) != bool(record.info.get("rehearsal")):
        found.append("the ticket is of a rehearsal and this run is not" if wish.ticket["rehearsal"]
                     else "this run is a rehearsal and the ticket is not")
    return found


def _gates(record: Record, wish: Wish, now: datetime, record_max_age: timedelta) -> list[str]:
    found = []
    noted = _noted_gates(record, wish.run)
    for phase in BEFORE_ARMING:
        gate = record.gates.get(phase)
        if gate is None:
            found.append(f"phase {phase} was not judged in this run")
            continue
        if gate.get("phase") != phase or gate.get("open") is not True:
            found.append(f"the gate of phase {phase} is closed")
        if noted.get(phase) != record.gate_digests.get(phase):
            found.append(f"the gate record of phase {phase} is not the one that was written down when it was judged: edited or replaced")
        again = {_key(one): one for one in record.rejudged.get(phase, ())}
        if {key: one["verdict"] for key, one in again.items()} != {_key(one): one.get("verdict") for one in gate.get("verdicts", ())}:
            found.append(f"judging the observations of phase {phase} again gives other verdicts than its record")
        found += [f"{one['control']} on {one['subject'] or 'this system'} is {one['verdict']}" for one in again.values()
                  if one["closes"] and one["severity"] in CLOSING]
        found += _age(f"phase {phase} was judged", gate.get("at"), now, record_max_age)
    return found


def _noted_gates(record: Record, run: str) -> dict[str, str]:
    if record.chain is None:
        return {}
    return {line["subject"]: str(line["detail"].get("digest")) for line in record.chain.lines
            if line["act"] == GATE_ACT and line["run"] == run}


def _freshness(record: Record, now: datetime, most: timedelta) -> list[str]:
    """Every critical control that can be observed without a stimulus was seen within the last minutes."""
    if record.compiled is None:
        return []
    controls = record.compiled.get("controls") or {}
    newest: dict[tuple[str, str, str], str] = {}
    for verdicts in record.rejudged.values():
        for one in verdicts:
            if _seen_again(one, controls):
                newest[_key(one)] = max(newest.get(_key(one), ""), str(one["at"] or ""))
    old = []
    for (control, subject, _vantage), at in sorted(newest.items()):
        old += _age(f"{control} on {subject or 'this system'} was observed", at, now, most)
    return old


def _audit(record: Record, wish: Wish, now: datetime) -> list[str]:
    if record.chain is None:
        return [f"the audit chain does not hold: {record.chain_problem or 'it was not read'}"]
    found = []
    head = parse_head(wish.ticket["audit_head"])
    lines = record.chain.lines
    if head.seq > len(lines):
        found.append(f"the audit chain was cut: the ticket was signed at line {head.seq}, the chain has {len(lines)}")
    elif head.seq and lines[head.seq - 1]["hash"] != head.hash:
        found.append(f"the audit chain was written anew: its line {head.seq} is not the one the ticket was signed at")
    if lines and canonical.parse_utc(lines[-1]["at"]) > now + CLOCK_TOLERANCE:
        found.append(f"the controller's clock says {canonical.utc(now)}, but the audit chain was written at {lines[-1]['at']}: "
                     "it was set back")
    return found


def _age(what: str, at: Any, now: datetime, most: timedelta) -> list[str]:
    try:
        moment = canonical.parse_utc(at)
    except GoliveError:
        return [f"{what} at a time that is not known"]
    if moment > now + CLOCK_TOLERANCE:
        return [f"{what} at {at}, which is in the future: now is {canonical.utc(now)}"]
    if now - moment > most:
        return [f"{what} at {at}, longer ago than {int(most.total_seconds())} s; run golive.yml again"]
    return []


def _lists(groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: sorted(hosts) for name, hosts in groups.items()}


def _key(verdict: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(verdict.get("control")), str(verdict.get("subject") or ""), f"{verdict.get('vantage')}@{verdict.get('host') or ''}"


def _short(digest: Any) -> str:
    return str(digest)[:19] if digest else "not named"
