"""The strategy: mean reversion, long only, as a pure function of closed candles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from .config import Strategy


@dataclass(frozen=True)
class Candle:
    """A closed candle; `start` is unix time in seconds, prices in quote currency."""

    start: Decimal
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = Decimal(0)


@dataclass(frozen=True)
class Signal:
    """What the candles say: enter or leave. `id` follows from pair, candle and side, so a repeat is the same signal."""

    id: str
    pair: str
    side: str  # buy, sell
    price: Decimal
    z: Decimal
    candle: Decimal


def zscore(closes: Sequence[Decimal]) -> Decimal | None:
    """Return how many standard deviations the last close is from the mean of all; None when nothing moved."""
    mean = sum(closes, Decimal(0)) / len(closes)
    variance = sum(((close - mean) ** 2 for close in closes), Decimal(0)) / len(closes)
    if variance == 0:
        return None
    return ((closes[-1] - mean) / variance.sqrt()).quantize(Decimal("0.000001"))


def decide(pair: str, candles: Sequence[Candle], strategy: Strategy) -> Signal | None:
    """Return the signal of the last closed candle, or None. Needs `strategy.window` candles."""
    if len(candles) < strategy.window:
        return None
    z = zscore([candle.close for candle in candles[-strategy.window :]])
    last = candles[-1]
    if z is None:
        return None
    if z <= -strategy.entry_z:
        side = "buy"
    elif z >= strategy.exit_z:
        side = "sell"
    else:
        return None
    name = f"{pair} {last.start.normalize():f} {side}"
    return Signal(hashlib.sha256(name.encode()).hexdigest()[:15], pair, side, last.close, z, last.start)


class Candles:
    """Builds candles of one pair from trades or prices; only closed ones are handed out."""

    def __init__(self, length_s: Decimal, keep: int) -> None:
        self._length, self._keep = length_s, keep
        self._closed: list[Candle] = []
        self._current: Candle | None = None

    @property
    def closed(self) -> Sequence[Candle]:
        """Return the closed candles, oldest first."""
        return self._closed

    def load(self, candles: Sequence[Candle]) -> None:
        """Begin with candles of the past."""
        self._closed = list(candles[-self._keep :])

    def add(self, at: Decimal, price: Decimal, volume: Decimal = Decimal(0)) -> bool:
        """Take a price in and return whether a candle was closed by it. What is older than the open candle is left out."""
        start = at - at % self._length
        current = self._current
        if current is None or start > current.start:
            if current is not None:
                self._closed.append(current)
                del self._closed[: -self._keep]
            self._current = Candle(start, price, price, price, price, volume)
            return current is not None
        if start == current.start:
            high, low = max(current.high, price), min(current.low, price)
            self._current = Candle(start, current.open, high, low, price, current.volume + volume)
        return False
