"""What a gate says: pass, fail or undecided, each with its reasons and what was measured."""
from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Mapping, NamedTuple

from ..errors import GoliveError, Undecided

INTEGRITY, SCHEMA, OOS_METRICS, RISK_CHECKS = GATES = ("INTEGRITY", "SCHEMA", "OOS_METRICS", "RISK_CHECKS")
PASS, FAIL, UNDECIDED = "pass", "fail", "undecided"


class Judgement(NamedTuple):
    """The verdict of one gate; `problems` is empty exactly when it is `pass`."""

    gate: str
    verdict: str
    problems: List[str]
    facts: Dict[str, Any]

    def plain(self) -> Dict[str, Any]:
        """Return the judgement as it is kept in a record."""
        return {"gate": self.gate, "verdict": self.verdict, "problems": list(self.problems), "facts": dict(self.facts)}


def of(gate: str, problems: List[str], facts: Dict[str, Any]) -> Judgement:
    """Return a decided judgement."""
    return Judgement(gate, FAIL if problems else PASS, problems, facts)


def decide(gate: str, ask: Callable[[], Judgement]) -> Judgement:
    """Return what a gate says; a gate that cannot compute is undecided, and undecided blocks like a failure."""
    try:
        return ask()
    except Undecided as exc:
        return Judgement(gate, UNDECIDED, [exc.reason], {})
    except GoliveError as exc:
        return Judgement(gate, UNDECIDED, [str(exc)], {})
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError) as exc:
        return Judgement(gate, UNDECIDED, ["cannot be computed from what was given (%s)" % type(exc).__name__], {})


def verdict(judgements: List[Judgement]) -> str:
    """Return the verdict over all gates: each of the four must have been asked and passed."""
    words = {one.gate: one.verdict for one in judgements}
    if set(words) != set(GATES):
        return UNDECIDED
    return FAIL if FAIL in words.values() else UNDECIDED if UNDECIDED in words.values() else PASS


def limit(profile: Mapping[str, Any], name: str) -> float:
    """Return a threshold of the profile. Raises Undecided where the profile does not say it: a gate has no number of its own."""
    value = profile.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Undecided("the profile does not say %s as a number" % name)
    return float(value)


def shown(value: float) -> float:
    """Return a measured number as it is written down: nine digits are more than any threshold has."""
    return round(float(value), 9) + 0.0
