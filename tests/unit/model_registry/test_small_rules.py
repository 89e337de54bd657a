"""The window in UTC, drift of features, retention: small rules, each with its edge."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from golive.errors import GoliveError, Undecided
from golive.model_registry import psi, window
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import models as m


@pytest.mark.parametrize(("clock", "inside"), [("02:59:59", False), ("03:00:00", True), ("04:59:59", True), ("05:00:00", False)])
def test_the_window_begins_with_its_first_second_and_ends_before_its_last(clock: str, inside: bool) -> None:
    at = datetime.fromisoformat(f"2026-11-21T{clock}+00:00")
    start, end = window.parse("03:00-05:00")
    assert window.is_open(at, start, end) is inside
    berlin = at.astimezone(timezone(timedelta(hours=1)))
    assert window.is_open(berlin, start, end) is inside      # the clock on the wall does not matter


def test_a_window_may_go_over_midnight() -> None:
    start, end = window.parse("23:00-01:00")
    found = [window.is_open(datetime(2026, 1, 1, hour, tzinfo=UTC), start, end) for hour in (22, 23, 0, 1)]
    assert found == [False, True, True, False]


@pytest.mark.parametrize("text", ["", "3-5", "03:00", "03:00-03:00", "24:00-01:00", "03:00-05:00-07:00", None, "03:00 to 05:00"])
def test_what_is_no_window_is_told(text: str | None) -> None:
    with pytest.raises(GoliveError, match="downtime window"):
        window.parse(text)  # type: ignore[arg-type]


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))  # noqa: DTZ001 (hypothesis wants them so)
def test_it_opens_within_a_day_and_is_then_open(moment: datetime) -> None:
    start, end = window.parse("03:00-05:00")
    opens = window.opens(moment.replace(tzinfo=UTC), start)
    assert timedelta(0) < opens - moment.replace(tzinfo=UTC) <= timedelta(days=1)
    assert window.is_open(opens, start, end)


def test_drift_by_the_formula_done_by_hand() -> None:
    """(0.3 - 0.5) ln(0.3 / 0.5) + (0.7 - 0.5) ln(0.7 / 0.5)."""
    assert psi.index([1, 1], [3, 7]) == pytest.approx(0.2 * 0.5108256238 + 0.2 * 0.3364722366)
    assert psi.index([2, 3], [20, 30]) == 0
    assert psi.index([1, 1, 1], [0, 1, 1]) > 0.25


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 1000)), min_size=1, max_size=20))
def test_drift_is_never_negative_and_symmetric(pairs: list[tuple[int, int]]) -> None:
    one, other = [float(a) for a, _ in pairs], [float(b) for _, b in pairs]
    assert psi.index(one, other) >= 0
    assert psi.index(one, other) == pytest.approx(psi.index(other, one))


@pytest.mark.parametrize(("trained", "live"), [({}, {}), (m.SHARES, {}), (m.SHARES, {"return_1h": {"edges": [9], "counts": [1, 2]}}),
                                               (m.SHARES, {name: {"edges": one["edges"], "counts": []} for name, one in m.SHARES.items()})])
def test_what_was_not_recorded_is_undecided_not_stable(trained: dict, live: dict) -> None:
    with pytest.raises(Undecided):
        psi.of_features(trained, live)
