"""Which stage of the ramp may be armed: the first one, the same one, a lower one; the next one only on evidence. Profit never lifts."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SAME = ("artifact", "tree", "config")


def continues(installed: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> bool:
    """Return whether the wanted ticket goes on with the release, host and key of the installed one. Anything else starts again."""
    if installed is None:
        return False
    same = all(installed["release"].get(name) == wanted["release"].get(name) for name in SAME)
    return same and installed["host"] == wanted["host"] and installed["key_fingerprint"] == wanted["key_fingerprint"]


def reasons(stages: Sequence[str], installed: Mapping[str, Any] | None, wanted: Mapping[str, Any],
            evidence: Mapping[str, Any] | str | None, *, days_min: float, events_min: int) -> list[str]:
    """Return why this stage must not be armed; empty means it may.

    `installed` is the ticket that armed this host (valid or expired), None where there is none or a kill voided it. `evidence` are the
    facts of the record of the stage before (see `golive.evidence.facts`, with `opportunities`), or the sentence why there is none.
    """
    stage = wanted["stage"]
    if stage not in stages:
        return [f"the ramp has no stage {stage}; it has {', '.join(stages)}"]
    if not continues(installed, wanted) or installed is None or installed["stage"] not in stages:
        if stage == stages[0]:
            return []
        why = "nothing is armed" if installed is None else "release, key or host changed"
        return [f"{why}: the ramp begins at {stages[0]}, the ticket is for {stage}"]
    here, there = stages.index(installed["stage"]), stages.index(stage)
    if there <= here:
        return []
    if there > here + 1:
        return [f"the stage after {installed['stage']} is {stages[here + 1]}, the ticket is for {stage}: no stage is skipped"]
    return undecided(installed["stage"], evidence, days_min, events_min)


def above(stages: Sequence[str], held: str | None, asked: str) -> bool:
    """Return whether a stage is asked for that lies above the one a host holds a ticket for; without a ticket nothing is above."""
    return held is not None and held in stages and asked in stages and stages.index(asked) > stages.index(held)


def undecided(stage: str, evidence: Mapping[str, Any] | str | None, days_min: float, events_min: int) -> list[str]:
    """Return why a stage does not let the next one be armed, by the facts of its record."""
    if evidence is None or isinstance(evidence, str):
        return [f"stage {stage} is not decided: {evidence or 'there is no record of it'}"]
    found = []
    if evidence.get("passed") is not True:
        found.append(f"stage {stage} was not passed")
    for name, what in (("breaches", "breaches of a limit"), ("critical_alerts", "critical alerts")):
        value = evidence.get(f"result.{name}")
        if type(value) is not int or value != 0:
            found.append(f"stage {stage} has {value if type(value) is int else 'an unknown number of'} {what}")
    days = evidence.get("result.days_in_stage")
    if isinstance(days, bool) or not isinstance(days, (int, float)) or days < days_min:
        lasted = days if isinstance(days, (int, float)) else "an unknown number of"
        found.append(f"stage {stage} lasted {lasted} days, {days_min} are asked for")
    events = evidence.get("opportunities")
    if type(events) is not int or events < events_min:
        found.append(f"stage {stage} has {events if type(events) is int else 'an unknown number of'} fills, {events_min} are asked for")
    return found
