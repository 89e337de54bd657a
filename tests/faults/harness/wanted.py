"""Facts as a set of expectations wants them: the smallest change away from each is a break."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def one(tests: Mapping[str, Any]) -> Any:
    """Return a value that fulfils the tests of one fact."""
    for operator, operand in tests.items():
        if operator in ("eq", "le", "ge"):
            return operand
        if operator == "lt":
            return operand / 2
        if operator == "gt":
            return operand + 1
        if operator == "between":
            return operand[0]
        if operator in ("in", "contains", "only"):
            return operand[0] if operator == "in" else operand
        if operator == "len":
            return ["x"] * int(one(operand))
        if operator in ("all", "any"):
            return [one(operand)]
        if operator == "none":
            return [broken(operand)]
    raise ValueError(f"no value is known for {tests}")


def broken(tests: Mapping[str, Any]) -> Any:
    """Return the value nearest to the wanted one that breaks the tests of one fact."""
    for operator, operand in tests.items():
        if operator in ("eq", "le", "ge", "between", "lt", "gt") and not isinstance(operand, (bool, str)) \
                and not (operator == "eq" and isinstance(operand, list)):
            edge = operand[1] if operator == "between" else operand
            return edge + {"eq": 1, "le": 1, "ge": -1, "lt": 0, "gt": 0, "between": 1}[operator]
        if operator == "eq":
            return not operand if isinstance(operand, bool) else f"{operand}x" if isinstance(operand, str) else [*operand, "x"]
        if operator == "len":
            return ["x"] * int(broken(operand))
        if operator in ("only", "in", "all"):
            return {"only": ["another"], "in": "another", "all": [broken(operand)] if operator == "all" else None}[operator]
        if operator == "contains":
            return []
        if operator == "matches":
            return ""
    raise ValueError(f"no breaking value is known for {tests}")


def satisfying(controls: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return facts by which all these controls are green; a fact that two ask for gets the value that both want."""
    found: dict[str, Any] = {}
    for control in controls:
        for fact, tests in control["expect"].items():
            value = one(tests)
            if fact in found and isinstance(value, (int, float)) and not isinstance(value, bool):
                strict = max if {"ge", "gt"} & set(tests) else min
                value = strict(value, found[fact])
            found[fact] = value
    return found
