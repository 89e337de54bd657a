"""The stand-in bot is a release of its own: it is imported from where it lies."""
from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve()
sys.path.insert(0, str(HERE.parents[3] / "molecule/lab/bots/kraken_micro"))

from kraken_micro import config as config_module  # noqa: E402
from kraken_micro.book import State  # noqa: E402
from kraken_micro.config import Config  # noqa: E402
from kraken_micro.ledger import Ledger  # noqa: E402
from kraken_micro.venue import Instrument  # noqa: E402


class Clock:
    """A clock that stands still until it is told otherwise; also sleeps without waiting."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def raw_config(folder: Path, **changes: Any) -> dict[str, Any]:
    raw: dict[str, Any] = {
        "instance": "wire", "mode": "wire", "stage": "day1", "rehearsal": True,
        "position_size_usdt": 5.0, "max_positions": 2, "trade_pairs": ["SHIB/USDT", "DOGE/USDT", "ADA/USDT"],
        "circuit_breaker": {"enabled": True, "max_daily_loss": 10.0, "total_loss": -30.0},
        "risk": {"max_position_size": 10.0, "max_daily_loss": 20.0, "max_concurrent_positions": 3, "max_price_age_s": 10,
                 "stop_loss_fraction": "0.02", "max_spread_fraction": "0.01", "max_orders_per_minute": 60},
        "strategy": {"candle_s": 1, "window": 5, "entry_z": "1.0", "exit_z": "0.5", "max_hold_candles": 10},
        "venue": {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1/v2", "ws_private_url": "ws://127.0.0.1:1/v2",
                  "ca_file": None, "timeout_s": 2, "max_slippage_fraction": "0.01", "poll_s": 1},
        "failsafe": {"after_s": 5, "window_s": 30, "max_error_ratio": "0.5", "min_calls": 10, "on_disconnect": "keep_stops",
                     "disconnect_timeout_s": 30},
        "paper": {"start_balance": 200, "taker_fee": "0.004", "slippage_fraction": "0.0005"},
        "limits": {"memory_bytes": 500000000, "file_descriptors": 256, "threads": 32, "cpu_cores": 1, "disk_bytes": 1000000000},
        "paths": {"state_dir": str(folder / "state"), "control_dir": str(folder / "control"), "log_file": str(folder / "log" / "bot.log"),
                  "release_file": None, "exit_only_file": None},
        "dashboard": {"host": "127.0.0.1", "port": 8002}, "decide_s": "0.05", "heartbeat_s": 1,
    }
    for name, value in changes.items():
        place, _, key = name.rpartition("__")
        (raw[place] if place else raw)[key] = value
    return raw


@pytest.fixture(name="raw_config")
def _raw_config(tmp_path: Path) -> Any:
    return lambda **changes: raw_config(tmp_path, **changes)


@pytest.fixture
def make_config(tmp_path: Path) -> Any:
    (tmp_path / "control").mkdir(exist_ok=True)

    def make(**changes: Any) -> Config:
        return config_module.parse(raw_config(tmp_path, **changes))

    return make


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_ledger(tmp_path: Path, clock: Clock) -> Any:
    def open_it() -> tuple[Ledger, State]:
        ledger = Ledger(tmp_path / "ledger.jsonl", clock)
        state = State.fold(ledger.read())
        ledger.listen(state.apply)
        return ledger, state

    return open_it


@pytest.fixture
def shib() -> Instrument:
    return Instrument("SHIB/USDT", "SHIBUSDT", Decimal("0.00000001"), Decimal("0.00001"), Decimal("50000"), Decimal("0.5"))
