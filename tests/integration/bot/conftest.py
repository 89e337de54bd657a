"""A rehearsal exchange and bots as real processes on loopback: the wire protocol is the thing under test."""
from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
BOT = ROOT / "molecule/lab/bots/kraken_micro"
DEADLINE_S = 60.0
RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_for(question: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Ask until the answer is true; the deadline only ends a test that will never pass."""
    end = time.monotonic() + deadline_s
    last: Any = None
    while time.monotonic() < end:
        try:
            last = question()
        except (OSError, ValueError, KeyError):
            last = None
        if last:
            return last
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for: {what} (last answer: {last!r})")


class Exchange:
    """The sandbox's admin interface."""

    def __init__(self, folder: Path) -> None:
        self.port, self.admin_port = free_port(), free_port()
        self.token = secrets.token_hex(16)
        (folder / "token").write_text(self.token)
        (folder / "token").chmod(0o600)
        (folder / "config.json").write_text(json.dumps({
            "state_dir": str(folder / "state"), "token_file": str(folder / "token"), "allow_plain_http_on_loopback": True,
            "venue": {"host": "127.0.0.1", "port": self.port}, "admin": {"host": "127.0.0.1", "port": self.admin_port},
            "market": {"tick_s": 0.05},
        }))
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen([sys.executable, "-m", "exchange_sandbox", "--config", str(folder / "config.json")],
                                        cwd=ROOT, stdout=self._log, stderr=self._log)
        wait_for(lambda: self.admin("GET", "clock"), "the exchange to answer")

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}/sandbox/v1/{path}", data=data, method=method,
                                         headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def strike(self, name: str, account: str | None = None, seconds: float = 60, **params: Any) -> Any:
        whom = {} if account is None else {"account": account}
        return self.admin("POST", "cruelties", {"name": name, "params": params, "for_s": seconds, **whom})

    def calm(self) -> None:
        self.admin("DELETE", "cruelties")

    def open_orders(self, account: str) -> list[dict[str, Any]]:
        return list(self.admin("GET", f"state/{account}")["orders"]["open"])

    def verdicts(self, account: str) -> dict[str, Any]:
        return dict(self.admin("GET", f"verdicts?account={account}"))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._log.close()


class Bot:
    """One instance of the bot."""

    def __init__(self, folder: Path, exchange: Exchange, account: str, mode: str, changes: dict[str, Any]) -> None:
        self.folder, self.exchange, self.account, self.mode = folder, exchange, account, mode
        self.port = free_port()
        for name in ("state", "control", "log", "cred"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None
        if mode != "shadow":
            rights = changes.pop("rights", None) or [*RIGHTS, "create-ws-token"]
            key = exchange.admin("POST", "keys", {"account": account, "rights": rights})
            self.key = {"key": key["key"], "secret": key["secret"]}
            (folder / "cred/exchange_key").write_text(json.dumps(self.key))
        self.config = self._config(changes)
        (folder / "cred/dashboard_password").write_text("correct horse")

    def _config(self, changes: dict[str, Any]) -> dict[str, Any]:
        base = f"http://127.0.0.1:{self.exchange.port}"
        raw: dict[str, Any] = {
            "instance": self.mode, "mode": self.mode, "stage": "day1", "rehearsal": True, "position_size_usdt": 5.0, "max_positions": 2,
            "trade_pairs": ["SHIB/USDT", "XRP/USDT", "SOL/USDT"],
            "circuit_breaker": {"enabled": True, "max_daily_loss": 10.0, "total_loss": -30.0},
            "risk": {"max_position_size": 10.0, "max_daily_loss": 20.0, "max_concurrent_positions": 3, "max_price_age_s": 10,
                     "stop_loss_fraction": "0.05", "max_spread_fraction": "0.01", "max_orders_per_minute": 600},
            "strategy": {"candle_s": "0.2", "window": 6, "entry_z": "1.2", "exit_z": "0.8", "max_hold_candles": 30},
            "venue": {"rest_url": base, "ws_url": base + "/v2", "ws_private_url": base + "/v2", "ca_file": None, "timeout_s": 2,
                      "max_slippage_fraction": "0.01", "poll_s": "0.3"},
            "failsafe": {"after_s": 3, "window_s": 30, "max_error_ratio": "0.5", "min_calls": 200, "on_disconnect": "keep_stops",
                         "disconnect_timeout_s": 30},
            "paper": {"start_balance": 200, "taker_fee": "0.004", "slippage_fraction": "0.0005"},
            "limits": {"memory_bytes": 500000000, "file_descriptors": 256, "threads": 32, "cpu_cores": 1, "disk_bytes": 1000000000},
            "paths": {"state_dir": str(self.folder / "state"), "control_dir": str(self.folder / "control"),
                      "log_file": str(self.folder / "log/bot.log"), "release_file": None, "exit_only_file": None},
            "dashboard": {"host": "127.0.0.1", "port": self.port}, "decide_s": "0.05", "heartbeat_s": "0.5", "faults": {},
        }
        for name, value in changes.items():
            place, _, key = name.rpartition("__")
            (raw[place] if place else raw)[key] = value
        return raw

    def environment(self) -> dict[str, str]:
        (self.folder / "config.json").write_text(json.dumps(self.config))
        return {**os.environ, "PYTHONPATH": str(BOT), "CREDENTIALS_DIRECTORY": str(self.folder / "cred"),
                "BOT_CONFIG": str(self.folder / "config.json"), "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self) -> Bot:
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "kraken_micro", "run"], env=self.environment(), stdout=out, stderr=out)
        wait_for(lambda: self.health()["decisions"] > 0, f"the bot to decide: {(self.folder / 'out').read_text()}")
        return self

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "kraken_micro", *words], env=self.environment(), capture_output=True, text=True,
                              check=False)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(30)

    def get(self, path: str, headers: dict[str, str] | None = None, data: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers or {}, data=data)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as exc:
            return exc.code, exc.read().decode()

    def health(self) -> dict[str, Any]:
        return dict(json.loads(self.get("/health")[1]))

    def ledger(self, *kinds: str) -> list[dict[str, Any]]:
        lines = (self.folder / "state/ledger.jsonl").read_text().splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]
        return [record for record in records if not kinds or record["kind"] in kinds]

    def wait_position(self) -> dict[str, Any]:
        """Wait until a position is open with its stop resting."""
        return dict(wait_for(lambda: next((one for one in self.health()["positions"] if one["stop"]), None), "a protected position"))

    def log(self) -> str:
        return (self.folder / "log/bot.log").read_text()


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    one = Exchange(tmp_path_factory.mktemp("exchange"))
    yield one
    one.stop()


@pytest.fixture
def make_bot(exchange: Exchange, tmp_path: Path) -> Iterator[Callable[..., Bot]]:
    bots: list[Bot] = []

    def make(mode: str = "wire", **changes: Any) -> Bot:
        account = f"a{secrets.token_hex(4)}"
        profile = {"mode": "live" if mode != "shadow" else "paper", "stop_within_s": 5, "stale_s": 60}
        exchange.admin("POST", "accounts", {"name": account, "balances": {"USDT": "200"}, "tier": "unlimited", "profile": profile})
        bot = Bot(tmp_path / account, exchange, account, mode, changes)
        bots.append(bot)
        return bot

    yield make
    exchange.calm()
    for bot in bots:
        if bot.process is not None and bot.process.poll() is None:
            bot.kill()
