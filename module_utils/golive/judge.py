"""The judge: observation x expectation -> verdict, with the reason in words. Pure; it reads no clock, file or network."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional

from . import operators
from .errors import Undecided

PASS, FAIL, UNDECIDED, WAIVED, NOT_APPLICABLE = VERDICTS = ("pass", "fail", "undecided", "waived", "not_applicable")


@dataclass(frozen=True)
class Judgement:
    """A verdict on one observation: `seen` and `wanted` hold only the facts that the expectation names."""

    verdict: str
    reason: str
    seen: Dict[str, Any] = field(default_factory=dict)
    wanted: Dict[str, Any] = field(default_factory=dict)
    until: Optional[str] = None


def judge(control: Mapping[str, Any], observation: Optional[Mapping[str, Any]]) -> Judgement:
    """Judge one observation of one compiled control.

    No observation, a probe that could not know, too few opportunities, a missing fact, a fact of the wrong type, a witness
    whose word does not count for this control: each is `undecided`. One fact that is certainly wrong makes `fail`, also where
    another is missing.
    """
    wanted: Dict[str, Any] = dict(control["expect"])
    if observation is None:
        return Judgement(UNDECIDED, "not observed in this run", wanted=wanted)
    facts: Mapping[str, Any] = observation.get("facts") or {}
    seen = {name: facts[name] for name in wanted if name in facts}
    if observation.get("undecided"):
        return Judgement(UNDECIDED, str(observation["undecided"]), seen, wanted, observation.get("until"))

    failed: List[str] = []
    unknown: List[str] = []
    for name, tests in wanted.items():
        if name not in facts or facts[name] is None:
            unknown.append("%s was not seen" % name)
            continue
        try:
            if not operators.check_all(facts[name], tests):
                failed.append("%s is %s, wanted %s" % (name, operators.shown(facts[name]), phrase(tests)))
        except Undecided as exc:
            unknown.append("%s: %s" % (name, exc.reason))
    if failed:
        return Judgement(FAIL, "; ".join(failed), seen, wanted)
    if unknown:
        return Judgement(UNDECIDED, "; ".join(unknown), seen, wanted, observation.get("until"))

    doubt = _word_does_not_count(control, observation) or _too_few(control, observation)
    if doubt:
        return Judgement(UNDECIDED, doubt, seen, wanted, observation.get("until"))
    return Judgement(PASS, "as wanted", seen, wanted)


def _word_does_not_count(control: Mapping[str, Any], observation: Mapping[str, Any]) -> Optional[str]:
    accepted = control.get("witness") or []
    witness = observation.get("witness")
    if witness not in accepted:
        return "this rests on the word of %s, accepted is %s" % (witness or "nobody", " or ".join(accepted) or "nobody")
    if control.get("severity") == "critical" and witness == "bot":
        return "a critical control never passes on the bot's own word"
    return None


def _too_few(control: Mapping[str, Any], observation: Mapping[str, Any]) -> Optional[str]:
    least = control.get("min_opportunities")
    if least is None:
        return None
    count = operators.number(observation.get("opportunities"))
    if count is None:
        return "how often this could have gone wrong was not counted, at least %s is needed" % least
    if count < (operators.number(least) or 0):
        return "it could have gone wrong only %s times so far, at least %s is needed" % (count, least)
    return None


_SYMBOL = {"eq": "", "ne": "not ", "lt": "< ", "le": "<= ", "gt": "> ", "ge": ">= ", "in": "one of ", "not_in": "none of ",
           "only": "nothing but ", "contains": "containing ", "matches": "matching ", "between": "between "}


def phrase(tests: Mapping[str, Any]) -> str:
    """Return the tests of one fact in words: `< 10`, `each >= 1`."""
    parts = []
    for operator, operand in tests.items():
        if operator in operators.NESTED:
            word = {"len": "length", "all": "each", "any": "at least one", "none": "none"}[operator]
            parts.append("%s %s" % (word, phrase(operand)))
        else:
            parts.append(_SYMBOL[operator] + operators.shown(operand))
    return " and ".join(parts)
