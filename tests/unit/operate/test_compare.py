"""Reconciliation: only an answer that says so is equal."""
from __future__ import annotations

from typing import Any

import pytest
from golive import plan
from golive.errors import GoliveError
from golive.operate import compare

GOOD = {"id": "p0", "facts": {"chain_intact": True, "differences": [], "venue_orders": 3}, "opportunities": 3, "undecided": None}


def test_equal_when_the_reader_says_so() -> None:
    assert compare.verdict([GOOD], "wire") == {"equal": True, "compared": 3, "venue_orders": 3, "differences": []}


def test_differences_are_told() -> None:
    assert compare.verdict([{**GOOD, "facts": {**GOOD["facts"], "differences": ["O-1: fee"]}}], "wire")["equal"] is False  # type: ignore[dict-item]


@pytest.mark.parametrize("answers", [
    [], [{**GOOD, "undecided": "the venue refused the question"}], [{**GOOD, "facts": None}], [{**GOOD, "facts": {"chain_intact": True}}],
    [{**GOOD, "facts": {"chain_intact": False, "chain_broken_at": "line 3", "differences": []}}],
], ids=["no answer", "undecided", "no facts", "no differences", "broken chain"])
def test_what_is_not_known_is_never_equal(answers: list[dict[str, Any]]) -> None:
    with pytest.raises(GoliveError):
        compare.verdict(answers, "wire")


def test_the_question_names_its_secret_by_reference() -> None:
    asked = compare.question("bot", {"path": "/l", "credential": "vault:kv/a#key"}, rehearsal=True)
    assert plan.secret_references(asked) == {"vault:kv/a#key"}
    assert asked["probes"][0]["ask"]["question"] == "reconcile"
