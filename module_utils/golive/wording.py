"""How are values and expectations said to a person? `no`, `nothing`, `at most 5` instead of `False`, `[]`, `{le: 5}`."""
from __future__ import annotations

from typing import Any

from . import judge


def said(value: Any) -> Any:
    """Return a JSON value as a person writes it: yes, no, a list without brackets; numbers and texts as they are."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(said(one)) for one in value) or "nothing"
    return "no value" if value is None else value


def wanted(tests: Any) -> str:
    """Return an expectation of one fact in words. What is no expectation is said as the value it is."""
    try:
        return judge.phrase(_plain(tests))
    except (AttributeError, KeyError, TypeError):
        return str(said(tests))


def _plain(tests: Any) -> dict[str, Any]:
    if tests in ({"len": {"eq": 0}}, {"len": 0}):
        return {"eq": "nothing"}
    if not isinstance(tests, dict):
        return {"eq": said(tests)}
    return {operator: _plain(operand) if isinstance(operand, dict) or operator in ("len", "all", "any", "none") else said(operand)
            for operator, operand in tests.items()}
