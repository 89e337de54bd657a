"""SCHEMA: does the model take exactly what the bot will hand it: the same features, in the same order, of the same dtypes and ranges?"""
from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..errors import Undecided
from .judgement import SCHEMA, Judgement, of
from .manifest import features


def judge(declared: Mapping[str, Any], wanted: Optional[Mapping[str, Any]], seen_by_runtime: Optional[Sequence[Mapping[str, Any]]],
          asked: bool = True) -> Judgement:
    """Return the judgement: `declared` of the candidate against the bot's `wanted` schema.

    `seen_by_runtime` is what the bot's own runtime read from the model itself (`[{name, dtype}]`, of the signed canary record); where
    it was asked for and is missing nothing but the trainer's word is left, so the gate is undecided.
    """
    if not wanted:
        raise Undecided("the bot's schema is not given")
    mine, bots = features(declared, "the candidate's schema"), features(wanted, "the bot's schema")
    problems = _listed("feature", [_key(one) for one in mine], [_key(one) for one in bots])
    problems += _listed("output", [_key(one) for one in declared["outputs"]], [_key(one) for one in wanted["outputs"]])
    by_name = {one["name"]: one for one in mine}
    for one in bots:
        trained = by_name.get(one["name"])
        if trained is not None and not trained["min"] <= one["min"] <= one["max"] <= trained["max"]:
            problems.append("feature %s: trained on %s to %s, the bot hands in %s to %s" % (
                one["name"], trained["min"], trained["max"], one["min"], one["max"]))
    if asked and seen_by_runtime is None and not problems:
        raise Undecided("no record says which inputs the bot's runtime found in the model")
    if seen_by_runtime is not None:
        problems += ["in the model itself, " + one for one in _listed(
            "feature", [_key(found) for found in seen_by_runtime], [_key(wanted_one) for wanted_one in bots])]
    facts: Dict[str, Any] = {"features": len(mine), "outputs": len(declared["outputs"])}
    return of(SCHEMA, problems, facts)


def _key(one: Mapping[str, Any]) -> str:
    return "%s %s" % (one["name"], one["dtype"])


def _listed(what: str, mine: List[str], wanted: List[str]) -> List[str]:
    if mine == wanted:
        return []
    missing, surplus = [one for one in wanted if one not in mine], [one for one in mine if one not in wanted]
    if missing or surplus:
        told = (["lacks " + ", ".join(missing[:5])] if missing else []) + (["has unknown " + ", ".join(surplus[:5])] if surplus else [])
        return ["%ss: %s" % (what, "; ".join(told))]
    first = next(number for number, (one, other) in enumerate(zip(mine, wanted)) if one != other) if len(mine) == len(wanted) else 0
    return ["%ss: in another order, position %d is %s instead of %s" % (what, first + 1, mine[first], wanted[first])]
