"""Recorded markets are replayed as they were; what is wrong in a file is named with its place."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exchange_sandbox.errors import SandboxError
from exchange_sandbox.generator import Generator
from exchange_sandbox.recording import read


def _file(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_krakens_trades_are_replayed_in_their_own_time_and_begin_again(tmp_path: Path) -> None:
    recording = read(_file(tmp_path, "SHIBUSDT.csv", "1700000000,0.00000850,10\n1700000010,0.00000860,1\n1700000040,0.00000840,2\n"))
    assert [recording.price(elapsed) for elapsed in (0, 9.9, 10, 39, 41, 50)] == [8.5e-06, 8.5e-06, 8.6e-06, 8.6e-06, 8.5e-06, 8.6e-06]


def test_a_candle_visits_its_low_before_its_high_when_it_rises(tmp_path: Path) -> None:
    rows = [[0, 10, 13, 9, 12, 5], [60_000, 12, 12.5, 8, 9, 5]]
    recording = read(_file(tmp_path, "BTC_USDT-1m.json", json.dumps(rows)))
    assert [recording.price(elapsed) for elapsed in (0, 15, 30, 45, 60, 75, 90)] == [10, 9, 13, 12, 12, 12.5, 8]


def test_the_market_follows_the_recording_and_a_jump_lies_on_top(tmp_path: Path) -> None:
    generator = Generator("seed", 1.0, 0.5, 10.0, 0.012)
    generator.replay(read(_file(tmp_path, "a.csv", "0,100,1\n10,110,1\n20,100,1\n")), 1_000.0)
    assert [round(generator.step(1_000.0 + at), 6) for at in (0, 12)] == [100.0, 110.0]
    generator.shift(-50)
    assert round(generator.step(1_013.0), 6) == 55.0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "fewer than two"),
        ("a.csv", "1,2,3\nx,2,3\n", "line 2"),
        ("a.csv", "1,2\n2,-1\n", "price above 0"),
        ("a.csv", "1,2\n2,nan\n", "line 2"),
        ("a.csv", "2,1,1\n1,1,1\n", "backwards"),
        ("a.csv", "1,1,1\n2\n", "time,price,volume"),
        ("a.json", "{", "not JSON"),
        ("a.json", "[[1,2]]", "expected a list"),
        ("a.json", '[[0,1,1,1,"x",1],[60000,1,1,1,1,1]]', "candle 0"),
        ("a.parquet", "", "expected a recording"),
        ("a.feather", "no feather", "not a feather file"),
    ],
)
def test_a_wrong_file_is_refused_with_its_place(tmp_path: Path, name: str, text: str, words: str) -> None:
    with pytest.raises(SandboxError, match=words):
        read(_file(tmp_path, name, text))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="cannot be read"):
        read(tmp_path / "none.csv")


def test_freqtrades_feather_candles_are_replayed_like_its_json(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather

    start = datetime(2025, 1, 1, tzinfo=UTC)
    table = pyarrow.table(
        {
            "date": pyarrow.array([start, start + timedelta(minutes=5)], pyarrow.timestamp("ms", "UTC")),
            "open": [100.0, 110.0],
            "high": [120.0, 115.0],
            "low": [90.0, 95.0],
            "close": [110.0, 100.0],
            "volume": [1.0, 2.0],
        }
    )
    # freqtrade writes lz4-compressed files
    feather.write_feather(table, tmp_path / "BTC_USDT-5m.feather", compression="lz4", compression_level=9)
    found = read(tmp_path / "BTC_USDT-5m.feather")
    assert [found.price(second) for second in (0, 75, 150, 225, 300, 375, 450, 524)] == [100, 90, 120, 110, 110, 115, 95, 95]


def test_a_feather_file_without_candles_is_refused(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import feather

    feather.write_feather(pyarrow.table({"date": [1], "open": [2.0]}), tmp_path / "a.feather")
    with pytest.raises(SandboxError, match="column high, low, close, volume is missing"):
        read(tmp_path / "a.feather")
