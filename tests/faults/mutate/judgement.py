"""Every expectation of the catalogue against every small lie about every fact it names: none may be judged green.

For each control: facts exactly as wanted are green; then one fact at a time is wrong by the least step, missing, null, of a wrong type;
and the observation as a whole is absent, undecided, on a stranger's word, or rests on one opportunity too few.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from golive.judge import PASS, judge

from ..harness import compiled, wanted

Mutant = tuple[str, str, Mapping[str, Any] | None]


def whole(control: Mapping[str, Any]) -> dict[str, Any]:
    """Return an observation by which the control is green."""
    least = control["min_opportunities"]
    witness = next(one for one in control["witness"] if not (one == "bot" and control["severity"] == "critical"))
    return {"facts": wanted.satisfying([control]), "witness": witness, "undecided": None, "opportunities": 1 if least is None else least}


def mutants(name: str, control: Mapping[str, Any]) -> Iterator[Mutant]:
    """Yield (control, what was changed, the changed observation)."""
    good = whole(control)
    for fact, tests in control["expect"].items():
        rest = {key: value for key, value in good["facts"].items() if key != fact}
        yield name, f"{fact} is missing", {**good, "facts": rest}
        for what, value in (("wrong", wanted.broken(tests)), ("null", None), ("a mapping", {"x": 1}), ("an empty mapping", {})):
            yield name, f"{fact} is {what}", {**good, "facts": {**rest, fact: value}}
        if isinstance(good["facts"][fact], bool):
            yield name, f"{fact} is a number for a truth", {**good, "facts": {**rest, fact: int(good["facts"][fact])}}
        elif isinstance(good["facts"][fact], (int, float)):
            yield name, f"{fact} is not finite", {**good, "facts": {**rest, fact: "nan"}}
            yield name, f"{fact} is a truth for a number", {**good, "facts": {**rest, fact: True}}
    yield name, "nobody looked", None
    yield name, "the probe could not know", {**good, "undecided": "not reached"}
    yield name, "a stranger's word", {**good, "witness": "stranger"}
    yield name, "nobody's word", {**good, "witness": None}
    if control["severity"] == "critical":
        yield name, "the bot's own word", {**good, "witness": "bot"}
    if control["min_opportunities"] is not None:
        yield name, "one opportunity too few", {**good, "opportunities": control["min_opportunities"] - 1}
        yield name, "opportunities not counted", {**good, "opportunities": None}


def campaign() -> tuple[int, list[str], list[str]]:
    """Return how many mutants there were, the controls that cannot be made green, and the mutants that were judged green."""
    count, never_green, survivors = 0, [], []
    for name, control in compiled.automated().items():
        if judge(control, whole(control)).verdict != PASS:
            never_green.append(f"{name}: {judge(control, whole(control)).reason}")
            continue
        for _, what, observation in mutants(name, control):
            count += 1
            if judge(control, observation).verdict == PASS:
                survivors.append(f"{name}: {what}")
    return count, never_green, survivors
