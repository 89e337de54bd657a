"""Recorded markets: Kraken's trade files and freqtrade's candle files, replayed on the exchange's clock."""

from __future__ import annotations

import csv
import json
import math
from bisect import bisect_right
from itertools import pairwise
from pathlib import Path
from typing import Any

from .errors import SandboxError

MOST_POINTS = 5_000_000


class Recording:
    """Prices over time. It starts when the exchange first starts, runs in exchange time, and begins again at its end."""

    def __init__(self, times: list[float], prices: list[float]) -> None:
        self._times, self._prices = times, prices
        self.first = prices[0]
        self._length = max(times[-1] - times[0], 1.0)

    def price(self, elapsed: float) -> float:
        """Return the price so many seconds after the start: the last one that was recorded by then."""
        moment = self._times[0] + elapsed % self._length
        return self._prices[bisect_right(self._times, moment) - 1]


def read(path: Path) -> Recording:
    """Read a recording by its ending. `.csv`: Kraken's trade download, lines `unix time,price,volume`; `.json`: freqtrade's candles,
    a list of `[start in ms, open, high, low, close, volume]`, replayed as open, low, high, close (high before low in a falling candle);
    `.feather`: the same candles as freqtrade stores them by default, columns `date open high low close volume`.

    Raises SandboxError with file, place, found and expected.
    """
    try:
        if path.suffix == ".csv":
            points = _trades(path)
        elif path.suffix == ".json":
            points = _candles(path, _rows_of_json(path))
        elif path.suffix == ".feather":
            points = _candles(path, _rows_of_feather(path))
        else:
            raise SandboxError("%s: expected a recording in .csv (Kraken trades), .json or .feather (freqtrade candles)" % path)
    except OSError as exc:
        raise SandboxError("%s: the recording cannot be read: %s" % (path, exc.strerror)) from None
    if len(points) < 2:
        raise SandboxError("%s: the recording holds fewer than two prices" % path)
    if len(points) > MOST_POINTS:
        raise SandboxError("%s: the recording holds more than %d prices; cut it" % (path, MOST_POINTS))
    times = [time for time, _ in points]
    if any(two < one for one, two in pairwise(times)):
        raise SandboxError("%s: the times of the recording go backwards; sort it" % path)
    return Recording(times, [price for _, price in points])


def _point(path: Path, place: str, time: object, price: object) -> tuple[float, float]:
    try:
        point = float(str(time)), float(str(price))
    except ValueError:
        point = (math.nan, math.nan)
    if not (math.isfinite(point[0]) and math.isfinite(point[1]) and point[1] > 0):
        raise SandboxError("%s: %s: expected a time and a price above 0, found %s, %s" % (path, place, str(time)[:30], str(price)[:30]))
    return point


def _trades(path: Path) -> list[tuple[float, float]]:
    points = []
    with path.open(newline="", encoding="utf-8", errors="replace") as handle:
        for number, row in enumerate(csv.reader(handle), 1):
            if not row or (number == 1 and not row[0][:1].isdigit()):
                continue  # a header line
            if len(row) < 2:
                raise SandboxError("%s: line %d: expected time,price,volume" % (path, number))
            points.append(_point(path, "line %d" % number, row[0], row[1]))
    return points


def _rows_of_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        raise SandboxError("%s: not JSON" % path) from None


def _rows_of_feather(path: Path) -> list[list[float]]:
    try:
        from pyarrow import ArrowException, feather  # noqa: PLC0415  large, and an extra: only who replays feather files needs it
    except ImportError:
        raise SandboxError("%s: feather files need pyarrow; install the extra `feather` or convert the file to JSON" % path) from None
    names = ["date", "open", "high", "low", "close", "volume"]
    try:
        table = feather.read_table(path, memory_map=False)
        missing = [name for name in names if name not in table.column_names]
        if missing:
            raise SandboxError("%s: column %s is missing; expected %s" % (path, ", ".join(missing), ", ".join(names)))
        columns = [[stamp.timestamp() * 1000 for stamp in table["date"].to_pylist()], *(table[name].to_pylist() for name in names[1:])]
    except (ArrowException, AttributeError, ValueError):
        raise SandboxError("%s: not a feather file of candles" % path) from None
    return [list(row) for row in zip(*columns, strict=True)]


def _candles(path: Path, rows: Any) -> list[tuple[float, float]]:
    if not isinstance(rows, list) or len(rows) < 2 or not all(isinstance(row, list) and len(row) >= 5 for row in rows):
        raise SandboxError("%s: expected a list of [start in ms, open, high, low, close, volume]" % path)
    points = []
    starts = [_point(path, "candle %d" % number, row[0], 1)[0] / 1000 for number, row in enumerate(rows)]
    step = (starts[1] - starts[0]) / 4
    for number, (start, row) in enumerate(zip(starts, rows, strict=True)):
        opened, high, low, close = (_point(path, "candle %d" % number, start, value)[1] for value in row[1:5])
        inner = (low, high) if close >= opened else (high, low)
        points += [(start + part * step, price) for part, price in enumerate((opened, *inner, close))]
    return points
