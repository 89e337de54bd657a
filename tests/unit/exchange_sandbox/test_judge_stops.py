"""The verdict on an entry's stop is not given in the moment in which a stop, or the sale behind it, is on its way."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from exchange_sandbox.judge import Judge

WITHIN = 5.0


class Trader:
    """An account that buys, sells, and sets or takes away its stop; `naked` is what no stop covers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.account: Any = SimpleNamespace(name="wire", profile={"stop_within_s": WITHIN})
        engine: Any = SimpleNamespace(accounts={"wire": self.account}, instruments={"S": SimpleNamespace(contract=None)})
        self.judge, self.naked = Judge(engine, SimpleNamespace()), Decimal(0)  # type: ignore[arg-type]
        monkeypatch.setattr(self.judge, "naked", lambda *_: self.naked)

    def fill(self, side: str, at: float, naked: int) -> None:
        self.naked = Decimal(naked)
        self.judge.filled(self.account, SimpleNamespace(leverage=None, symbol="S", side=side, at=at, order_id="o", qty=Decimal(7)))  # type: ignore[arg-type]

    def stop(self, at: float, naked: int) -> None:
        self.naked = Decimal(naked)
        self.judge.tick(at)

    def verdicts(self, at: float) -> list[str]:
        self.judge.tick(at)
        found = [late[3] for late in self.judge.late]
        self.judge.late.clear()
        return found


@pytest.fixture
def trader(monkeypatch: pytest.MonkeyPatch) -> Trader:
    return Trader(monkeypatch)


def test_an_entry_that_no_stop_covers_in_time_fails(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    assert trader.verdicts(104.9) == []
    assert trader.verdicts(105.0) == ["fail"]


def test_a_stop_that_comes_in_time_passes(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    trader.stop(100.2, 0)
    assert trader.verdicts(105.0) == ["pass"]


def test_a_stop_that_comes_too_late_fails(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    assert trader.verdicts(105.1) == ["fail"]
    trader.stop(105.2, 0)
    assert trader.verdicts(120.0) == []


def test_a_stop_taken_away_to_sell_is_not_held_against_the_entry_before(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    trader.stop(100.2, 0)
    trader.fill("sell", 102.0, 0)
    trader.fill("buy", 103.0, 7)
    trader.stop(103.1, 0)
    trader.stop(104.99, 7)  # cancelled, its sale is on the way
    assert trader.verdicts(105.0) == []
    trader.fill("sell", 105.02, 0)
    assert trader.verdicts(106.0) == ["pass"]
    assert trader.verdicts(108.0) == ["pass"]


def test_a_stop_that_is_on_its_way_for_a_newer_entry_is_not_held_against_the_one_before(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    trader.stop(100.2, 0)
    trader.fill("buy", 104.99, 7)
    assert trader.verdicts(105.0) == []
    trader.stop(105.03, 0)
    assert trader.verdicts(106.0) == ["pass"]


def test_a_stop_taken_away_for_good_fails_once_that_has_lasted(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    trader.stop(100.2, 0)
    trader.stop(104.5, 7)
    assert trader.verdicts(105.0) == []
    assert trader.verdicts(105.5) == ["fail"]


def test_a_bot_that_never_sets_a_stop_is_named_even_if_it_sells_in_time(trader: Trader) -> None:
    trader.fill("buy", 100.0, 7)
    trader.fill("sell", 102.0, 0)
    trader.fill("buy", 103.0, 7)
    assert trader.verdicts(105.0) == ["fail"]
