"""In the market that the rehearsal exchange makes, the strategy trades often enough and wins after fees, with the rehearsal's settings."""
from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from kraken_micro.config import Strategy
from kraken_micro.signals import Candles, decide

from exchange_sandbox.generator import Generator

ROOT = Path(__file__).resolve().parents[3]
TICK_S, HALF_SPREAD, FEE, STOP = 0.1, Decimal("0.0012"), Decimal("0.004"), Decimal("0.02")
REHEARSAL = yaml.safe_load((ROOT / "inventories/kraken-micro/group_vars/rehearsal/bot.yml").read_text())
MARKET = REHEARSAL["exchange_sandbox_market"]


def strategy() -> Strategy:
    found = REHEARSAL["bot_settings"]["strategy"]
    return Strategy(**{name: value if isinstance(value, int) else Decimal(str(value)) for name, value in found.items()})


def trades(seed: str, seconds: int) -> list[Decimal]:
    """Return profit over cost of each trade: taker fee and half spread on both sides, the list's stop."""
    rules, market = strategy(), Generator(seed, 8.5e-6, TICK_S, MARKET["half_life_s"], MARKET["deviation"])
    candles, entry, done = Candles(rules.candle_s, rules.window), Decimal(0), list[Decimal]()
    for step in range(int(seconds / TICK_S)):
        at = Decimal(step) / 10
        price = Decimal(str(market.step(float(at)))).quantize(Decimal("1E-12"))
        bid, ask = price * (1 - HALF_SPREAD), price * (1 + HALF_SPREAD)
        leave = entry and bid <= entry * (1 - STOP)
        if candles.add(at, price) and not leave:
            signal = decide("SHIB/USDT", candles.closed, rules)
            if signal is not None and signal.side == "buy" and not entry:
                entry = ask * (1 + FEE)
                continue
            leave = entry and signal is not None and signal.side == "sell"
        if leave:
            done.append((bid * (1 - FEE) - entry) / entry)
            entry = Decimal(0)
    return done


@pytest.mark.parametrize("seed", ["a", "b", "c", "d"])
def test_five_scaled_days_bring_enough_trades_and_a_profit(seed: str) -> None:
    done = trades(seed, 100)
    assert len(done) >= 10
    assert sum(done) > 0


def test_a_trend_downwards_is_not_won(monkeypatch: Any) -> None:
    """The control stimulus: the property is the market's and the strategy's, not the arithmetic's."""
    monkeypatch.setattr(Generator, "_swing", lambda self, noise, deviation: setattr(self, "x", self.x - 0.002 + noise * 0.002))
    assert sum(trades("a", 100)) < 0
