"""RISK_CHECKS: how much does the model put at stake, and what does it do when its input is broken?

The second half is judged from a signed record of canary predictions that the bot's own runtime made, as an unprivileged user in a unit
without network. The model is never loaded here.
"""
from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping

from ..errors import Undecided
from .judgement import RISK_CHECKS, Judgement, limit, of, shown
from .track_record import Result

KINDS = ("normal", "nan", "stale", "extreme")
_CASE = {"kind", "output", "again", "action", "position"}
_ACTIONS = ("trade", "hold", "refuse")


def judge(profile: Mapping[str, Any], found: Result, canary: Mapping[str, Any]) -> Judgement:
    """Return the judgement over measures and canary record (`{runtime: {uid, network, unit}, inputs, cases}`).

    Profile: `exposure_max`, `leverage_max`, `turnover_day_max`, `worst_day_min` (fractions of equity; the worst day is negative),
    `position_max`, `canary_min` (cases of each kind).
    """
    problems = _stakes(profile, found)
    cases = _cases(canary)
    problems += _runtime(canary.get("runtime")) + _behaviour(profile, cases)
    counts = {kind: sum(one["kind"] == kind for one in cases) for kind in KINDS}
    facts: Dict[str, Any] = {"exposure_max": shown(found.exposure_max), "turnover_day": shown(found.turnover_day),
                             "worst_day": shown(found.worst_day), **{"canary_" + kind: count for kind, count in counts.items()}}
    return of(RISK_CHECKS, problems, facts)


def _stakes(profile: Mapping[str, Any], found: Result) -> List[str]:
    problems = []
    leverage = found.exposure_max      # positions are fractions of equity: gross exposure over equity is leverage
    for name, value, most in (("exposure", found.exposure_max, limit(profile, "exposure_max")),
                              ("leverage", leverage, limit(profile, "leverage_max")),
                              ("turnover a day", found.turnover_day, limit(profile, "turnover_day_max"))):
        if not value <= most:
            problems.append("%s %.4f, at most %g is allowed" % (name, value, most))
    if not found.worst_day >= limit(profile, "worst_day_min"):
        problems.append("worst day %.4f, no worse than %g is allowed" % (found.worst_day, limit(profile, "worst_day_min")))
    return problems


def _cases(canary: Mapping[str, Any]) -> List[Mapping[str, Any]]:
    cases = canary.get("cases")
    if not isinstance(cases, list) or not cases:
        raise Undecided("the canary record holds no case")
    for number, one in enumerate(cases):
        if not isinstance(one, Mapping) or set(one) != _CASE or one["kind"] not in KINDS or one["action"] not in _ACTIONS:
            raise Undecided("case %d of the canary record does not have its form" % number)
        if not _number(one["position"]) or not all(one[name] is None or _number(one[name]) for name in ("output", "again")):
            raise Undecided("case %d of the canary record holds something that is no number" % number)
    return cases


def _runtime(runtime: Any) -> List[str]:
    if not isinstance(runtime, Mapping) or type(runtime.get("uid")) is not int or not isinstance(runtime.get("network"), bool):
        raise Undecided("the canary record does not say as whom and with which network it was made")
    problems = []
    if runtime["uid"] == 0:
        problems.append("the canary predictions were made as root")
    if runtime["network"]:
        problems.append("the canary predictions were made with network")
    return problems


def _behaviour(profile: Mapping[str, Any], cases: List[Mapping[str, Any]]) -> List[str]:
    least, most = limit(profile, "canary_min"), limit(profile, "position_max")
    problems = []
    for kind in KINDS:
        mine = [one for one in cases if one["kind"] == kind]
        if len(mine) < least:
            raise Undecided("the canary record has %d cases of %s input, at least %d are asked for" % (len(mine), kind, least))
        if kind in ("nan", "stale"):
            acted = sum(one["action"] == "trade" or one["position"] != 0 for one in mine)
            if acted:
                problems.append("trades on %s input in %d of %d cases" % (kind, acted, len(mine)))
        else:
            over = sum(abs(one["position"]) > most for one in mine)
            if over:
                problems.append("takes more than %g of equity on %s input in %d of %d cases" % (most, kind, over, len(mine)))
    extreme = sum(one["kind"] == "extreme" and one["output"] is None and one["action"] == "trade" for one in cases)
    if extreme:
        problems.append("trades on an output that is no number in %d cases of extreme input" % extreme)
    normal = [one for one in cases if one["kind"] == "normal"]
    if any(one["output"] is None for one in normal):
        problems.append("gives no number on normal input")
    if not any(one["action"] == "trade" for one in normal):
        problems.append("never trades on normal input either: a dead model would look safe")
    if any(one["output"] != one["again"] for one in cases):
        problems.append("answers the same input differently the second time")
    return problems


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
