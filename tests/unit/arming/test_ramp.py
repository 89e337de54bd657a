"""Exposure buys evidence: the next stage needs days, events and a clean record; profit never lifts one, and nothing is skipped."""
from __future__ import annotations

from typing import Any

import pytest
from golive import ramp
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import people as p

STAGES = ["day1", "day3", "day5"]
GOOD = {"passed": True, "result.days_in_stage": 2, "result.breaches": 0, "result.critical_alerts": 0, "opportunities": 10}


def asked(installed: str | None, wanted: str, evidence: Any = None, **changes: Any) -> list[str]:
    before = None if installed is None else p.make_ticket(stage=installed)
    return ramp.reasons(STAGES, before, p.make_ticket(stage=wanted, nonce="1" * 32, **changes), evidence, days_min=2, events_min=10)


@pytest.mark.parametrize(("installed", "wanted"), [(None, "day1"), ("day1", "day1"), ("day3", "day3"), ("day5", "day1"), ("day3", "day1")])
def test_the_first_the_same_and_a_lower_stage_need_no_evidence(installed: str | None, wanted: str) -> None:
    assert asked(installed, wanted) == []


@pytest.mark.parametrize(("held", "wanted", "above"), [
    (None, "day5", False), ("day1", "day1", False), ("day3", "day1", False), ("day1", "day3", True), ("day1", "day5", True),
    ("gone", "day3", False)])
def test_a_stage_above_the_signed_one_is_told_before_anything_is_built(held: str | None, wanted: str, above: bool) -> None:
    assert ramp.above(STAGES, held, wanted) is above


def test_the_next_stage_may_be_armed_on_a_decided_one() -> None:
    assert asked("day1", "day3", GOOD) == []


@pytest.mark.parametrize(("words", "evidence"), [
    ("there is no record", None), ("nobody measured", "nobody measured"), ("was not passed", {**GOOD, "passed": False}),
    ("has 1 breaches", {**GOOD, "result.breaches": 1}), ("unknown number of breaches", {**GOOD, "result.breaches": None}),
    ("2 critical alerts", {**GOOD, "result.critical_alerts": 2}), ("lasted 1.9 days", {**GOOD, "result.days_in_stage": 1.9}),
    ("unknown number of days", {**GOOD, "result.days_in_stage": None}), ("has 9 fills", {**GOOD, "opportunities": 9}),
    ("unknown number of fills", {**GOOD, "opportunities": None}), ("was not passed", {**GOOD, "passed": "yes"}),
])
def test_a_stage_that_is_not_decided_is_not_lifted(words: str, evidence: Any) -> None:
    assert words in " ".join(asked("day1", "day3", evidence))


@given(profit=st.integers(-10**6, 10**6))
def test_profit_never_lifts_a_stage(profit: int) -> None:
    assert asked("day1", "day3", {**GOOD, "opportunities": 0, "result.profit_quote": profit}) != []
    assert asked("day1", "day3", {**GOOD, "result.profit_quote": profit}) == []


def test_no_stage_is_skipped_and_an_unknown_one_is_refused() -> None:
    assert "no stage is skipped" in asked("day1", "day5", GOOD)[0]
    assert "has no stage day9" in asked("day1", "day9", GOOD)[0]


@pytest.mark.parametrize("changes", [{"key_fingerprint": "f" * 16}, {"host": "bot2"},
                                     {"release": {**p.make_ticket()["release"], "tree": "sha256:" + "f" * 64}}])
def test_a_changed_release_key_or_host_begins_the_ramp_again(changes: dict[str, Any]) -> None:
    assert "the ramp begins at day1" in asked("day3", "day3", GOOD, **changes)[0]
    assert asked("day3", "day1", **changes) == []


def test_after_a_kill_the_ramp_begins_again() -> None:
    assert "nothing is armed: the ramp begins at day1" in asked(None, "day3", GOOD)[0]
