"""Counts verdicts as they fall, so that asking for them costs the same after a million requests."""

from __future__ import annotations

from typing import Any

from .seen import FAIL, PASS, UNJUDGED

SAMPLES = 5
#: different error texts that are counted by name
MOST_ERRORS = 100


class Tally:
    """Counts and newest samples per rule, and totals, over records of the recorder."""

    def __init__(self) -> None:
        self._rules: dict[str, dict[str, Any]] = {}
        self._totals: dict[str, Any] = {"requests": 0, PASS: 0, FAIL: 0, UNJUDGED: 0, "order_requests": 0, "entries": 0}
        self._errors: dict[str, int] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Count one record; a late verdict is no request of its own."""
        if not record.get("late"):
            self._totals["requests"] += 1
            self._totals[record["verdict"]] += 1
            self._totals["order_requests"] += bool(record["order_request"])
            self._totals["entries"] += record["intent"] == "entry"
            if record["error"]:
                self._error(record["error"], 1)
        for rule, verdict in record["verdicts"].items():
            row = self._row(rule)
            row[verdict] += 1
            if verdict != PASS:
                sample = {name: record[name] for name in ("id", "at", "endpoint", "params")}
                row["samples"] = [*row["samples"][-SAMPLES + 1 :], {**sample, "verdict": verdict, "why": record["why"].get(rule, "")}]

    def add_kept(self, count: int, rules: tuple[str, ...], is_entry: bool, is_order: bool, error: str) -> None:
        """Count so many equal requests that kept every rule."""
        self._totals["requests"] += count
        self._totals[PASS] += count
        self._totals["order_requests"] += count if is_order else 0
        self._totals["entries"] += count if is_entry else 0
        if error:
            self._error(error, count)
        for rule in rules:
            self._row(rule)[PASS] += count

    def _error(self, text: str, count: int) -> None:
        name = text if text in self._errors or len(self._errors) < MOST_ERRORS else "other"
        self._errors[name] = self._errors.get(name, 0) + count

    def _row(self, rule: str) -> dict[str, Any]:
        return self._rules.setdefault(rule, {PASS: 0, FAIL: 0, UNJUDGED: 0, "samples": []})

    def report(self, rules: dict[str, str]) -> dict[str, Any]:
        """Return `{rules, totals}`; a rule without a verdict has zeros."""
        empty: dict[str, Any] = {PASS: 0, FAIL: 0, UNJUDGED: 0, "samples": []}
        return {"rules": {rule: self._rules.get(rule, empty) for rule in rules}, "totals": {**self._totals, "errors": self._errors}}
