"""The generated markets have the properties that the documents promise."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exchange_sandbox.generator import Generator
from exchange_sandbox.money import ZERO


def _path(seed: str, steps: int, **given: float) -> list[float]:
    values = {"tick_s": 0.5, "half_life_s": 10.0, "deviation": 0.012, **given}
    generator = Generator(seed, 100.0, **values)
    return [generator.step(index * values["tick_s"]) for index in range(steps)]


def test_the_same_seed_gives_the_same_market_and_another_seed_another() -> None:
    assert _path("a", 500) == _path("a", 500)
    assert _path("a", 500) != _path("b", 500)


def test_calm_prices_swing_as_wide_as_documented_and_return_with_the_half_life() -> None:
    logs = [math.log(price / 100) for price in _path("law", 40_000)]
    assert statistics.pstdev(logs) == pytest.approx(0.012, rel=0.15)
    lag = 20  # ticks of 0.5 s: one half-life
    covariance = statistics.fmean(one * two for one, two in zip(logs, logs[lag:], strict=False))
    assert covariance / statistics.pvariance(logs) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("name", "params", "low", "high"),
    [("trend", {"pct_per_min": 10}, 1.15, 1.30), ("dip", {"pct": 20}, 0.97, 1.03), ("freeze", {}, 1.0, 1.0), ("flat", {}, 1.0, 1.0)],
)
def test_patterns_end_where_they_should(name: str, params: dict[str, float], low: float, high: float) -> None:
    generator = Generator(name, 100.0, 0.5, 10.0, 0.0 if name == "trend" else 0.012)
    generator.start_pattern(name, 0.0, 120.0, params)
    start = generator.price()
    for index in range(240):
        price = generator.step(index * 0.5)
    assert low <= price / start <= high


def test_a_dip_reaches_its_depth() -> None:
    generator = Generator("dip", 100.0, 0.5, 10.0, 0.012)
    generator.start_pattern("dip", 0.0, 60.0, {"pct": 20})
    assert min(generator.step(index * 0.5) for index in range(121)) == pytest.approx(80.0, rel=0.02)


def _mean_reversion(desk: Any, seconds: float) -> tuple[Decimal, int]:
    """Buy $5 when the price lies 1.5 % under the mean, sell when it is back; returns profit after fees and round trips."""
    engine, mean, holding, trips = desk.exchange.engine, Decimal(86_000), ZERO, 0
    elapsed = 0.0
    while elapsed < seconds:
        desk.wait(1.0)
        elapsed += 1.0
        book = engine.books["BTC/USDT"]
        ask, bid = book.asks.best(), book.bids.best()
        if not holding and ask < mean * Decimal("0.985"):
            holding = desk.order("buy", str((Decimal(5) / ask).quantize(Decimal("1e-8")))).filled
        elif holding and bid > mean:
            desk.order("sell", str(holding))
            holding, trips = ZERO, trips + 1
    profit = desk.exchange.markets.value(desk.account) - 1000
    return profit, trips


@pytest.mark.parametrize("seed", ["one", "two", "three"])
def test_a_mean_reverting_bot_makes_small_net_profits(desk: Callable[..., Any], seed: str) -> None:
    profit, trips = _mean_reversion(desk("BTC/USDT", seed=seed, levels=4, history_min=5), 900)
    assert trips >= 8
    assert 0 < profit < Decimal("0.2") * trips


def test_the_same_bot_loses_when_every_entry_is_followed_by_a_fall(desk: Callable[..., Any]) -> None:
    table = desk("BTC/USDT", seed="one", levels=4, history_min=5)
    table.exchange.start_cruelty("losing_fills", {"pct": 30}, 3600, "bot")
    table.order("buy", "0.001")
    table.wait(1)
    table.order("sell", "0.001")
    assert table.exchange.markets.value(table.account) < Decimal(1000) - Decimal(86) * Decimal("0.25")


def test_ticks_that_were_missed_reach_resting_orders(desk: Callable[..., Any]) -> None:
    table = desk("BTC/USDT", levels=4, history_min=5)
    table.order("buy", "0.001")
    order = table.order("sell", "0.001", kind="stop-loss", stop_price=Decimal("70000.0"))
    table.exchange.markets.by_symbol["BTC/USDT"].generator.start_pattern("dip", table.exchange.clock.now(), 100, {"pct": 40})
    table.wait(200)
    assert order.status == "closed"
    assert order.cost / order.filled < 70_000


def test_a_step_of_hours_keeps_candles_without_holes(desk: Callable[..., Any]) -> None:
    table = desk("BTC/USDT", levels=4, history_min=5)
    table.wait(7_200)
    starts = [candle.start for candle in table.exchange.markets.by_symbol["BTC/USDT"].candles.get(1)]
    assert {two - one for one, two in itertools.pairwise(starts)} == {60}
    assert len(starts) > 120


def test_a_restart_goes_on_from_the_same_price_with_the_same_dice() -> None:
    one, two, three = (Generator("seed", 100.0, 0.5, 10.0, 0.012) for _ in range(3))
    for index in range(50):
        one.step(index * 0.5)
    for again in (two, three):
        again.restore(one.state())
    assert two.price() == one.price()
    assert [two.step(30.0 + index) for index in range(20)] == [three.step(30.0 + index) for index in range(20)]


def _again(table: Any) -> Any:
    exchange = table.exchange
    return type(exchange)(exchange.config, list(exchange.engine.instruments.values()), exchange.clock)


def _check_the_same(table: Any) -> None:
    again, account = _again(table), table.account
    known = again.engine.accounts["bot"]
    assert (known.balances, known.volume_by_day) == (account.balances, account.volume_by_day)
    assert [fill.id for fill in known.fills][-len(account.fills) :] == [fill.id for fill in account.fills]
    assert again.engine.fees == table.exchange.engine.fees
    again.recorder.close()
    again.journal.close()


@pytest.fixture
def folding(desk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A table with a journal that is due to be folded, and so little memory that the first bookings are forgotten by then."""
    from exchange_sandbox import engine, state

    table = desk("BTC/USDT", levels=2, history_min=5)
    monkeypatch.setattr(state, "FOLD_AT", 20_000)
    for name, most in (("MOST_FILLS", 20), ("MOST_ORDERS", 20), ("MOST_BOOKINGS", 10), ("LEAST", 10)):
        monkeypatch.setattr(engine, name, most)
    for _ in range(60):
        table.order("buy", "0.001")
        table.order("sell", "0.001")
    return table


async def test_a_long_journal_is_folded_while_the_exchange_runs(folding: Any) -> None:
    from exchange_sandbox import state

    table, directory = folding, folding.exchange.config.state_dir
    await table.exchange._commit_quietly()
    assert table.exchange.generation == 1
    table.order("buy", "0.002")
    await table.exchange.journal.commit()
    state.fold_ended(table.exchange, wait=True)
    assert table.exchange.folding is None
    assert sorted(path.name for path in directory.glob("*journal*")) == ["1.journal.jsonl"]
    assert (len(table.account.fills) <= 10, len(table.account.ledger) <= 10, len(table.exchange.engine.history["bot"]) <= 11) == (True,) * 3
    _check_the_same(table)


async def test_a_fold_that_dies_loses_nothing_and_the_next_one_catches_up(folding: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from exchange_sandbox import state
    from exchange_sandbox.errors import SandboxError

    table, directory, whole = folding, folding.exchange.config.state_dir, state._fold

    def die(*_: Any) -> None:
        raise OSError("killed")

    monkeypatch.setattr(state, "_fold", die)
    await table.exchange._commit_quietly()
    with pytest.raises(SandboxError, match="could not be folded"):
        state.fold_ended(table.exchange, wait=True)
    table.order("buy", "0.002")
    await table.exchange.journal.commit()
    assert {path.name for path in directory.glob("*journal*")} == {"0.journal.jsonl", "1.journal.jsonl"}
    _check_the_same(table)
    monkeypatch.setattr(state, "_fold", whole)
    monkeypatch.setattr(state, "FOLD_AT", 10)
    await table.exchange._commit_quietly()
    state.fold_ended(table.exchange, wait=True)
    assert sorted(path.name for path in directory.glob("*journal*")) == ["2.journal.jsonl"]
    _check_the_same(table)
