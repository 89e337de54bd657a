"""The gate: which verdicts close a phase. Pure; what it judges comes from the run directory, whom it expects from the inventory (M1)."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import judge, plan
from .catalogue import PHASES

CLOSING = ("critical", "high")
Waivers = Mapping[str, Mapping[str, Any]]


# What `applies: false` means, by the control's `otherwise`. Compensation for something that is there is neither loosened nor missing.
_OFF = {"loosened": ("this system has switched it off", ["loosened"]), "not_held": ("the profile does not hold this", ["not_held"]),
        "not_needed": ("this system has what it would stand in for", [])}


def verdicts(controls: Mapping[str, Mapping[str, Any]], expected: list[plan.Target], observed: list[Mapping[str, Any]],
             run: str, waivers: Waivers | None = None, *, rehearsal: bool = False) -> list[dict[str, Any]]:
    """Judge every control for every subject that the inventory names; an observation that is not there is undecided.

    `observed` are observations of this run and phase; `waivers` maps a control id to a waiver that was verified for this
    release (see golive.waiver). A control that is `in_rehearsal: counted` is red or undecided in a rehearsal as anywhere, is tagged
    `unproven`, and closes nothing there. Returns verdict records sorted as in the catalogue.
    """
    seen = {(one["control"], one["subject"], one["vantage"]): one for one in observed if one.get("run", run) == run}
    found = []
    wanted: dict[str, list[plan.Target]] = {}
    for target in expected:
        wanted.setdefault(target.control, []).append(target)
    for name, control in controls.items():
        if control["applies"] is False:
            words, tags = _OFF[control["otherwise"]]
            found.append(_record(control, None, judge.Judgement(judge.NOT_APPLICABLE, words), list(tags)))
            continue
        if not control["built"]:
            found.append(_record(control, None, judge.Judgement(judge.UNDECIDED, f"golive cannot observe this yet: {control['why']}")))
            continue
        for target in wanted.get(name) or [plan.Target(name, "", control["seen_from"], "")]:  # nobody looks: undecided
            observation = seen.get((name, target.subject, target.vantage))
            judgement = _waived(control, judge.judge(control, observation), (waivers or {}).get(name))
            found.append(_record(control, target, judgement, observation=observation))
    return [_counted(one) if rehearsal and controls[one["control"]].get("in_rehearsal") == "counted" else one for one in found]


def _counted(record: dict[str, Any]) -> dict[str, Any]:
    """What a rehearsal counts without being stopped by it: the verdict stays what it is, and says what is missing."""
    if record["verdict"] not in (judge.FAIL, judge.UNDECIDED):
        return record
    return {**record, "closes": False, "tags": sorted({*record["tags"], "unproven"})}


def _waived(control: Mapping[str, Any], judgement: judge.Judgement, waiver: Mapping[str, Any] | None) -> judge.Judgement:
    """A waiver turns a fail that it covers into `waived`; what could not be looked at cannot be waived."""
    if waiver is None or judgement.verdict != judge.FAIL or not control["waivable"]:
        return judgement
    words = f"waived until {waiver['expires']} by {waiver['approver']}: {waiver['reason']} ({judgement.reason})"
    return judge.Judgement(judge.WAIVED, words, judgement.seen, judgement.wanted)


def _record(control: Mapping[str, Any], target: plan.Target | None, judgement: judge.Judgement, tags: list[str] | None = None,
            observation: Mapping[str, Any] | None = None) -> dict[str, Any]:
    words = {*control["tags"], *(tags or [])}
    witness = observation.get("witness") if observation else None
    if judgement.verdict == judge.PASS and witness == "bot":
        words.add("bots_word")
    if judgement.verdict == judge.PASS and (control["attest"] or witness == "person"):
        words.add("attested")
    return {"control": control["id"], "title": control["title"], "severity": control["severity"], "phase": control["phase"],
            "subject": target.subject if target else None, "vantage": control["seen_from"], "host": target.host if target else None,
            "verdict": judgement.verdict, "reason": judgement.reason, "seen": judgement.seen, "wanted": judgement.wanted,
            "witness": witness, "opportunities": observation.get("opportunities") if observation else None,
            "at": observation.get("at") if observation else None, "until": judgement.until,
            "tags": sorted(words), "remedy": control["remedy"], "contained_by": control["contained_by"], "how": control["how"],
            "closes": closes(control, judgement.verdict)}


def closes(control: Mapping[str, Any], verdict: str) -> bool:
    """Return whether this verdict keeps the gate shut: a critical or high control that is fail or undecided.

    `decided_in: canary` or `stage` may still be undecided before the money that buys the evidence is on.
    """
    if control["severity"] not in CLOSING or verdict not in (judge.FAIL, judge.UNDECIDED):
        return False
    return verdict == judge.FAIL or control["decided_in"] == "before"


def record(phase: str, found: list[dict[str, Any]], earlier: list[Mapping[str, Any] | None], at: str) -> dict[str, Any]:
    """Return the gate's record. It is open when nothing closes it, every earlier gate of this run was judged and is open,
    and there was something to judge at all."""
    shut = [one for one in found if one["closes"]]
    reasons = [f"{one['control']} on {one['subject'] or 'this system'}: {one['verdict']}, {one['reason']}" for one in shut]
    if not found:
        reasons.append(f"nothing was judged in phase {phase}: the catalogue has no control for it")
    for name, gate in zip(PHASES, earlier):
        if gate is None:
            reasons.append(f"phase {name} was not judged in this run")
        elif not gate["open"]:
            reasons.append(f"the gate of phase {name} is closed")
    untils = sorted(one["until"] for one in shut if one["until"])
    return {"phase": phase, "open": not reasons, "at": at, "verdicts": found, "closing": reasons, "until": untils[-1] if untils else None}
