"""The small closed set of words in which an expectation is written.

`check(operator, seen, operand)` answers True or False, or raises `Undecided` when the fact has a type that the operator cannot
judge: a wrong type is a broken observation, not a failed control.
"""
from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Callable, Dict, Mapping, Optional

from .errors import GoliveError, Undecided

NESTED = frozenset({"len", "all", "any", "none"})
_LISTED = frozenset({"in", "not_in", "only"})
_NUMERIC = frozenset({"lt", "le", "gt", "ge", "between"})


def number(value: Any) -> Optional[Decimal]:
    """Return a JSON number or a decimal string as Decimal, else None. A bool is not a number; NaN and infinity are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        parsed = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None


def _need(seen: Any) -> Decimal:
    parsed = number(seen)
    if parsed is None:
        raise Undecided("expected a number, the probe returned %s" % shown(seen))
    return parsed


def _same(seen: Any, wanted: Any) -> bool:
    if isinstance(seen, bool) or isinstance(wanted, bool):
        return seen is wanted
    if type(seen) is type(wanted) and isinstance(seen, (str, int)) and seen == wanted:
        return True     # what is wanted is what is seen nearly always, and to read both as decimals costs 5 to 30 times as much
    one, other = number(seen), number(wanted)
    if one is not None and other is not None:
        return one == other
    if isinstance(seen, list) and isinstance(wanted, list):
        return len(seen) == len(wanted) and all(_same(a, b) for a, b in zip(seen, wanted))
    return bool(seen == wanted)


def _list(seen: Any) -> list:  # type: ignore[type-arg]
    if not isinstance(seen, list):
        raise Undecided("expected a list, the probe returned %s" % shown(seen))
    return seen


def _contains(seen: Any, wanted: Any) -> bool:
    if isinstance(seen, str) and isinstance(wanted, str):
        return wanted in seen
    items = _list(seen)
    return all(any(_same(item, one) for item in items) for one in (wanted if isinstance(wanted, list) else [wanted]))


def _matches(seen: Any, pattern: str) -> bool:
    if not isinstance(seen, str):
        raise Undecided("expected a text, the probe returned %s" % shown(seen))
    return re.search(pattern, seen) is not None


def _among(seen: Any, wanted: list) -> bool:  # type: ignore[type-arg]
    return any(_same(seen, one) for one in wanted)


_FLAT: Dict[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "ne": lambda seen, wanted: not _same(seen, wanted),
    "lt": lambda seen, wanted: _need(seen) < _need(wanted),
    "le": lambda seen, wanted: _need(seen) <= _need(wanted),
    "gt": lambda seen, wanted: _need(seen) > _need(wanted),
    "ge": lambda seen, wanted: _need(seen) >= _need(wanted),
    "between": lambda seen, wanted: _need(wanted[0]) <= _need(seen) <= _need(wanted[1]),
    "in": _among,
    "not_in": lambda seen, wanted: not _among(seen, wanted),
    "contains": _contains,
    "only": lambda seen, wanted: all(_among(item, wanted) for item in _list(seen)),
    "matches": _matches,
}
OPERATORS = frozenset(_FLAT) | NESTED


def check(operator: str, seen: Any, operand: Any) -> bool:
    """Judge one fact by one operator. Raises Undecided for a fact of a wrong type or an empty list under `all`."""
    if operator in _FLAT:
        return _FLAT[operator](seen, operand)
    if operator == "len":
        return check_all(len(_list(seen)), operand)  # an empty text or mapping is no empty list: the wrong type says nothing
    items = _list(seen)
    if operator == "all" and not items:
        raise Undecided("there was nothing to judge: the list is empty")
    results = [check_all(item, operand) for item in items]
    return {"all": all, "any": any}[operator](results) if operator != "none" else not any(results)


def check_all(seen: Any, tests: Mapping[str, Any]) -> bool:
    """Judge one fact by several operators, all of which must hold."""
    return all(check(operator, seen, operand) for operator, operand in tests.items())


def validate(tests: Any) -> Dict[str, Any]:
    """Return the tests of one fact in full form (`value` means `{eq: value}`). Raises GoliveError for what cannot be judged."""
    if not isinstance(tests, dict):
        tests = {"eq": tests}
    for operator, operand in tests.items():
        if operator not in OPERATORS:
            raise GoliveError("unknown operator %r" % operator, expected="one of " + " ".join(sorted(OPERATORS)))
        if operand is None:
            raise GoliveError("operator %s has no operand" % operator)
        if operator in NESTED:
            tests = {**tests, operator: validate(operand)}
        elif operator in _LISTED and not isinstance(operand, list):
            raise GoliveError("operator %s needs a list" % operator, found=shown(operand))
        elif operator == "between" and not (isinstance(operand, list) and len(operand) == 2):
            raise GoliveError("operator between needs a list of two numbers", found=shown(operand))
        if operator in _NUMERIC and any(number(one) is None for one in (operand if operator == "between" else [operand])):
            raise GoliveError("operator %s needs a number" % operator, found=shown(operand))
        if operator == "matches":
            _compile(operand)
    if not tests:
        raise GoliveError("an expectation without an operator proves nothing")
    return dict(tests)


def _compile(pattern: Any) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as exc:
        raise GoliveError("operator matches needs a regular expression: %s" % exc, found=shown(pattern)) from None


def shown(value: Any) -> str:
    """Return a value as a short text for a sentence."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
