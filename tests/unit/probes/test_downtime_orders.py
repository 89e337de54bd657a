"""Orders in the downtime by the venue's own history; the wire is a table of answers in Kraken's documented form."""
from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import _kraken
from golive.probes.downtime_orders import FACTS, observe
from golive.probes.look import Observed

from .fake_look import NOW, FakeLook
from .test_exchange_account import KEY, REFERENCE, Wire


def order(at: datetime) -> dict[str, Any]:
    return {"opentm": at.timestamp(), "status": "closed", "descr": {"pair": "XBTUSD"}}


def night(hour: int, minute: int, days: int = 1) -> datetime:
    return (NOW - timedelta(days=days)).replace(hour=hour, minute=minute, second=0)


def asked(monkeypatch: pytest.MonkeyPatch, wire: Wire, **question: Any) -> Observed:
    monkeypatch.setattr(_kraken, "Transport", wire)
    given = {"venue": "kraken", "base_url": "https://venue:443", "credential": REFERENCE, "window": "03:00-05:00", "days": 7, **question}
    return observe(given, FakeLook(rehearsal=True, secrets={REFERENCE: KEY}))


def closed(*orders: datetime) -> Any:
    """Answer page by page, newest first, as the venue does."""
    rows = [(f"O{number}", order(at)) for number, at in enumerate(orders)]

    def page(params: dict[str, str]) -> dict[str, Any]:
        start = int(params.get("ofs", "0"))
        return {"closed": dict(rows[start:start + 50]), "count": len(rows)}
    return page


def test_orders_outside_of_the_downtime_are_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(monkeypatch, Wire(ClosedOrders=closed(night(2, 59), night(5, 0), night(14, 0, 6))))
    assert seen.facts == {"orders": 3, "orders_in_downtime": []}
    assert seen.opportunities == 3
    assert set(seen.facts) <= set(FACTS)


@pytest.mark.parametrize("hour_minute", [(3, 0), (3, 30), (4, 59)])
def test_an_order_in_the_downtime_is_named(monkeypatch: pytest.MonkeyPatch, hour_minute: tuple[int, int]) -> None:
    seen = asked(monkeypatch, Wire(ClosedOrders=closed(night(*hour_minute), night(12, 0))))
    assert seen.facts["orders_in_downtime"] == [f"O0 at 2026-11-20T0{hour_minute[0]}:{hour_minute[1]:02d}:00Z"]


def test_one_that_is_still_open_is_seen_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(monkeypatch, Wire(OpenOrders={"open": {"OPEN-1": order(night(3, 30, 0))}}))
    assert seen.facts["orders_in_downtime"] == ["OPEN-1 at 2026-11-21T03:30:00Z"]


def test_all_pages_are_read_and_what_is_older_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [night(12, 0)] * 119 + [night(3, 1)] + [night(3, 2, 9)]
    seen = asked(monkeypatch, Wire(ClosedOrders=closed(*many)))
    assert seen.facts == {"orders": 120, "orders_in_downtime": ["O119 at 2026-11-20T03:01:00Z"]}


@pytest.mark.parametrize("answers", [
    {"ClosedOrders": closed(*[night(12, 0)] * 700)},                       # more than can be read: a part would prove nothing
    {"ClosedOrders": {"count": 0}}, {"OpenOrders": {"open": []}}, {"ClosedOrders": {"closed": {"O1": {"status": "closed"}}, "count": 1}},
    {"ClosedOrders": "EGeneral:Permission denied"}])
def test_what_the_venue_does_not_tell_is_undecided(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> None:
    with pytest.raises(Undecided):
        asked(monkeypatch, Wire(**answers))


def test_no_orders_at_all_are_no_opportunity(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, Wire()).opportunities == 0


def test_a_window_that_is_none_and_another_venue_are_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ({"window": "3 to 5"}, {"venue": "binance"}):
        with pytest.raises(Undecided):
            asked(monkeypatch, Wire(), **wrong)
