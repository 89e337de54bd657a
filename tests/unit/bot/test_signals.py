"""Signals follow from the candles and from nothing else."""
from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from kraken_micro import replay
from kraken_micro.errors import BotError
from kraken_micro.signals import Candle, Candles, decide, zscore


def candles(*closes: int) -> list[Candle]:
    return [Candle(Decimal(number), *[Decimal(close)] * 4) for number, close in enumerate(closes)]


def test_a_fall_below_the_band_enters_and_a_rise_above_it_leaves(make_config: Any) -> None:
    strategy = make_config().strategy
    down, up = decide("A/B", candles(10, 10, 10, 10, 5), strategy), decide("A/B", candles(10, 10, 10, 10, 15), strategy)
    assert (down.side, up.side) == ("buy", "sell")
    assert decide("A/B", candles(10, 11, 10, 11, 10), strategy) is None


def test_too_few_candles_and_a_dead_market_say_nothing(make_config: Any) -> None:
    assert decide("A/B", candles(10, 5), make_config().strategy) is None
    assert decide("A/B", candles(*[10] * 9), make_config().strategy) is None
    assert zscore([Decimal(1)] * 3) is None


def test_the_same_candle_gives_the_same_signal_id(make_config: Any) -> None:
    seen = {decide("A/B", candles(10, 10, 10, 10, 5), make_config().strategy).id for _ in range(2)}
    assert len(seen) == 1
    assert decide("A/C", candles(10, 10, 10, 10, 5), make_config().strategy).id not in seen


def test_replay_repeats_and_depends_on_the_order(make_config: Any, tmp_path: Path) -> None:
    rows = [[n, *[100 + (n * 7919 % 23) - 11] * 4, 1] for n in range(120)]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, rows)))
    report = replay.report("A/B", replay.load_candles(str(tmp_path / "c.jsonl")), make_config().strategy)
    assert report["signals"] > 5
    assert (report["repeats"], report["depends_on_order"]) == (True, True)


def test_a_damaged_candle_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("[1,1,1,1,1]\n[2,1,1]\n")
    with pytest.raises(BotError, match=r"c\.jsonl:2"):
        replay.load_candles(str(tmp_path / "c.jsonl"))


def test_candles_close_on_the_clock_and_the_past_is_left_out() -> None:
    book = Candles(Decimal(10), keep=3)
    closings = [book.add(Decimal(at), Decimal(price)) for at, price in [(0, 5), (3, 9), (4, 2), (12, 7), (5, 99), (20, 1)]]
    assert closings == [False, False, False, True, False, True]
    first = book.closed[0]
    assert (first.open, first.high, first.low, first.close) == (5, 9, 2, 2)
    assert book.closed[1].high == 7
