"""What would a model have earned, out of sample? Computed from recorded predictions and outcomes, row by row, in constant memory.

Definitions. A row is one symbol at one moment: `prediction` (signed, the model's output) and `outcome` (return of the symbol until the
next bar, a fraction). The position is `size * sign(prediction)` where `|prediction| >= enter_at`, else 0, as a fraction of equity. The
return of a bar is the sum over the symbols of `position * outcome - (fee + slippage) * |change of position|`; equity compounds.
Sharpe is mean over standard deviation (n - 1) of the returns, times the root of the bars a year, risk-free rate 0. Drawdown is the largest
fall of equity from its peak (a positive fraction). A trade is a position held in one symbol without a change of sign; it hits when its
sum of net returns is positive. All are checked against an independent library (tests/unit/model_registry/test_golden_metrics.py).
"""
from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from .. import canonical
from ..errors import Undecided

_ROW = {"at", "symbol", "window", "prediction", "outcome"}
_LINE_CAP = 4096
_SYMBOLS_CAP = 500
Row = Tuple[datetime, str, int, float, float]


class Rule(NamedTuple):
    """How a prediction becomes a position, and what a change of position costs (fractions of its notional)."""

    enter_at: float
    size: float
    cost: float
    bars_per_year: float


class Result(NamedTuple):
    """The measures of a stretch of time; `sharpe` and `hit_rate` are None where they are not defined."""

    bars: int
    trades: int
    total_return: float
    sharpe: Optional[float]
    drawdown: float
    hit_rate: Optional[float]
    exposure_max: float
    turnover_day: float
    worst_day: float


class Measure:
    """Folds bars into the measures."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.held: Dict[str, float] = {}
        self.open: Dict[str, float] = {}
        self.bars = self.trades = self.hits = 0
        self.mean = self.squares = 0.0
        self.equity = self.peak = 1.0
        self.drawdown = self.exposure = self.turnover = 0.0
        self.day: Optional[str] = None
        self.day_equity = 1.0
        self.days, self.worst = 0, 0.0

    def bar(self, at: datetime, rows: List[Tuple[str, float, float]]) -> None:
        """Take one bar: (symbol, prediction, outcome) of every symbol. A symbol without a row is flat from here on."""
        self._turn_of_day(at)
        given = {symbol for symbol, _prediction, _outcome in rows}
        rows = rows + [(symbol, 0.0, 0.0) for symbol, held in self.held.items() if held and symbol not in given]
        total = exposure = 0.0
        for symbol, prediction, outcome in rows:
            position = math.copysign(self.rule.size, prediction) if abs(prediction) >= self.rule.enter_at and prediction else 0.0
            before = self.held.get(symbol, 0.0)
            change = abs(position - before)
            net = position * outcome - self.rule.cost * change
            self._trade(symbol, before, position, net)
            self.held[symbol] = position
            total += net
            exposure += abs(position)
            self.turnover += change
        if len(self.held) > _SYMBOLS_CAP:
            raise Undecided("the predictions name more than %d symbols" % _SYMBOLS_CAP)
        self.bars += 1
        delta = total - self.mean
        self.mean += delta / self.bars
        self.squares += delta * (total - self.mean)
        self.equity *= 1.0 + total
        self.exposure = max(self.exposure, exposure)
        self.peak = max(self.peak, self.equity)
        self.drawdown = max(self.drawdown, 1.0 - self.equity / self.peak)

    def _trade(self, symbol: str, before: float, position: float, net: float) -> None:
        """The cost of leaving belongs to the trade that is left; of a turn, each half to its own."""
        if before and before * position <= 0:
            leaving = self.rule.cost * abs(before)
            self._close(self.open.pop(symbol, 0.0) - leaving)
            net += leaving
        if position:
            self.open[symbol] = self.open.get(symbol, 0.0) + net

    def _close(self, net: float) -> None:
        self.trades += 1
        self.hits += net > 0

    def _turn_of_day(self, at: datetime) -> None:
        day = at.strftime("%Y-%m-%d")
        if day != self.day:
            self._end_day()
            self.day, self.day_equity = day, self.equity
            self.days += 1

    def _end_day(self) -> None:
        if self.day is not None:
            self.worst = min(self.worst, self.equity / self.day_equity - 1.0)

    def result(self) -> Result:
        """Return the measures; what is still held counts as a trade without the cost of leaving it."""
        for symbol, net in sorted(self.open.items()):
            del symbol
            self._close(net)
        self.open = {}
        self._end_day()
        deviation = math.sqrt(self.squares / (self.bars - 1)) if self.bars > 1 else 0.0
        sharpe = self.mean / deviation * math.sqrt(self.rule.bars_per_year) if deviation > 1e-15 else None
        return Result(self.bars, self.trades, self.equity - 1.0, sharpe, self.drawdown,
                      self.hits / self.trades if self.trades else None, self.exposure,
                      self.turnover / self.days if self.days else 0.0, self.worst)


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows of a `predictions.jsonl`. Raises Undecided for a line that is none: what is left out could be the losses."""
    for number, line in enumerate(lines, start=1):
        if len(line) > _LINE_CAP or not line.endswith(b"\n"):
            raise Undecided("predictions, line %d is too long or cut short" % number)
        try:
            found = json.loads(line)
            at = canonical.parse_utc(found["at"])
            values = (found["prediction"], found["outcome"])
        except Exception as exc:  # noqa: BLE001 (whatever is wrong with a line of somebody else's file, it is the line)
            raise Undecided("predictions, line %d cannot be read (%s)" % (number, type(exc).__name__)) from None
        if set(found) != _ROW or type(found["window"]) is not int or not isinstance(found["symbol"], str):
            raise Undecided("predictions, line %d does not have at, symbol, window, prediction and outcome" % number)
        if any(isinstance(one, bool) or not isinstance(one, (int, float)) or not math.isfinite(one) for one in values):
            raise Undecided("predictions, line %d holds something that is not a finite number" % number)
        yield at, found["symbol"], found["window"], float(values[0]), float(values[1])


class Fold(NamedTuple):
    """All measures of a file of predictions: over everything, by window, and how the rows lie in time."""

    overall: Result
    windows: Mapping[int, Result]
    first: Mapping[int, datetime]
    last: Mapping[int, datetime]
    rows: int


def fold(lines: Iterable[bytes], rule: Rule, most_windows: int = 200) -> Fold:
    """Return the measures of a file. Raises Undecided where rows go back in time, repeat, or mix windows in one bar."""
    overall, by_window = Measure(rule), {}  # type: Measure, Dict[int, Measure]
    first: Dict[int, datetime] = {}
    last: Dict[int, datetime] = {}
    count, pending, at, window = 0, [], None, 0  # type: int, List[Tuple[str, float, float]], Optional[datetime], int

    def close() -> None:
        if at is not None:
            if window not in by_window:
                by_window[window] = Measure(rule)
            overall.bar(at, pending)
            by_window[window].bar(at, pending)
            first.setdefault(window, at)
            last[window] = at

    for moment, symbol, number, prediction, outcome in rows(lines):
        count += 1
        if at is None or moment != at:
            if at is not None and moment < at:
                raise Undecided("predictions, line %d goes back in time" % count)
            close()
            if number != window and number in by_window:
                raise Undecided("predictions, line %d returns to a window that had ended" % count)
            pending, at, window = [], moment, number
        if number != window or any(symbol == one[0] for one in pending) or len(by_window) > most_windows:
            raise Undecided("predictions, line %d repeats a symbol or mixes windows in one bar" % count)
        pending.append((symbol, prediction, outcome))
    close()
    if not count:
        raise Undecided("there is not one prediction")
    return Fold(overall.result(), {number: one.result() for number, one in by_window.items()}, first, last, count)


def plain(result: Result) -> Dict[str, Any]:
    """Return measures as they are written down, rounded to nine digits."""
    return {name: round(value, 9) + 0.0 if isinstance(value, float) else value for name, value in result._asdict().items()}
