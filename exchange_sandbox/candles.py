"""OHLC candles of one pair, built from its trades."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Optional

from .money import ZERO

#: minutes; Kraken's OHLC endpoint offers these
INTERVALS = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
#: candles kept per interval; the venue returns at most 720
KEPT = 720


@dataclass
class Candle:
    """One candle; `start` in seconds since 1970, `turnover` is the sum of price x volume."""

    start: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal = ZERO
    turnover: Decimal = ZERO
    count: int = 0

    def add(self, price: Decimal, qty: Decimal) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += qty
        self.turnover += price * qty
        self.count += 1

    def vwap(self) -> Decimal:
        return self.turnover / self.volume if self.volume else self.close


class Candles:
    """All intervals of one pair. Minutes without a trade carry the last close, as the venue's do."""

    def __init__(self) -> None:
        self._series: dict[int, list[Candle]] = {interval: [] for interval in INTERVALS}

    def add(self, price: Decimal, qty: Decimal, at: float) -> None:
        for interval, series in self._series.items():
            start = int(at // (interval * 60)) * interval * 60
            self._fill_gap(series, interval, start, price)
            series[-1].add(price, qty)

    def _fill_gap(self, series: list[Candle], interval: int, start: int, price: Decimal) -> None:
        if not series:
            series.append(Candle(start, price, price, price, price))
            return
        step = interval * 60
        next_start = max(series[-1].start + step, start - KEPT * step)
        close = series[-1].close
        while next_start <= start:
            opened = price if next_start == start else close
            series.append(Candle(next_start, opened, opened, opened, opened))
            next_start += step
        del series[:-KEPT]

    def get(self, interval: int, since: Optional[int] = None) -> list[Candle]:
        """Return candles of an interval in minutes whose start lies after `since` (seconds)."""
        return [candle for candle in self._series[interval] if since is None or candle.start > since]
