"""A rehearsal exchange and copies of the bot's release as real processes on loopback, for the length of the drills."""
from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import GoliveError

DEADLINE_S = 90.0
RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades", "create-ws-token"]
PAIRS = ["SHIB/USDT", "XRP/USDT", "SOL/USDT", "ETH/USDT"]
# Python reads this before anything else; the kernel's clock cannot be moved for one process.
_CLOCK = """import time
_real, _real_ns = time.time, time.time_ns
time.time = lambda: _real() + {ahead_s}
time.time_ns = lambda: _real_ns() + int({ahead_s} * 10**9)
"""


class NotSeen(Exception):
    """A condition did not come true in time: the drill has failed, and its record says at what."""


def wait_for(question: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Ask until the answer is true. Raises NotSeen."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            found = question()
        except (OSError, ValueError, KeyError):
            found = None
        if found:
            return found
        time.sleep(0.05)
    raise NotSeen(what)


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Exchange:
    """The rehearsal exchange with its administration."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.port, self.admin_port, self._token = free_port(), free_port(), secrets.token_hex(24)
        folder.mkdir(mode=0o700, parents=True)
        (folder / "token").write_text(self._token)
        (folder / "token").chmod(0o600)
        (folder / "config.json").write_text(json.dumps({
            "state_dir": str(folder / "state"), "token_file": str(folder / "token"), "allow_plain_http_on_loopback": True,
            "venue": {"host": "127.0.0.1", "port": self.port}, "admin": {"host": "127.0.0.1", "port": self.admin_port},
            "market": {"tick_s": 0.05}}))
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "exchange_sandbox", "--config", str(folder / "config.json")], cwd=root,
                                             stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(root)})
        try:
            wait_for(lambda: self.admin("GET", "clock"), "the rehearsal exchange answers")
        except NotSeen as exc:
            self.stop()
            raise GoliveError(f"{exc} did not come true", where=str(folder / "log")) from None

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the administration interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin_port}/sandbox/v1/{path}", data=data, method=method,
                                         headers={"Authorization": f"Bearer {self._token}"})
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (our own process on loopback)
            return json.loads(answer.read() or b"null")

    def strike(self, name: str, account: str, **params: Any) -> None:
        """Start a cruelty against one account."""
        self.admin("POST", "cruelties", {"name": name, "params": params, "for_s": 600, "account": account})

    def calm(self) -> None:
        """End all cruelties."""
        self.admin("DELETE", "cruelties")

    def verdicts(self, account: str) -> dict[str, Any]:
        """Return the judge's counts by rule, and totals."""
        return dict(self.admin("GET", f"verdicts?account={account}"))

    def entries(self, account: str) -> int:
        """Return how many entries the account has sent."""
        return int(self.verdicts(account)["totals"]["entries"])

    def state(self, account: str) -> dict[str, Any]:
        """Return balances, orders and fills as the venue has them."""
        return dict(self.admin("GET", f"state/{account}"))

    def open_orders(self, account: str) -> list[dict[str, Any]]:
        """Return the resting orders."""
        return list(self.state(account)["orders"]["open"])

    def stop(self) -> None:
        """End it, by force if a loaded machine lets it not end in time: everything of it is thrown away."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


class Copy:
    """A copy of the bot: the released code, an account of its own, a configuration that trades every few seconds."""

    def __init__(self, folder: Path, app: Path, exchange: Exchange, mode: str, changes: dict[str, Any]) -> None:
        self.folder, self.app, self.exchange, self.mode = folder, app, exchange, mode
        self.account, self.port = f"d{secrets.token_hex(4)}", free_port()
        self._running: subprocess.Popen[bytes] | None = None
        for name in ("state", "control", "log", "cred"):
            (folder / name).mkdir(mode=0o700, parents=True)
        profile = {"mode": "paper" if mode == "shadow" else "live", "stop_within_s": 5, "stale_s": 60}
        exchange.admin("POST", "accounts", {"name": self.account, "balances": {"USDT": "200"}, "tier": "unlimited", "profile": profile})
        rights = changes.pop("rights", RIGHTS)
        if mode != "shadow":
            made = exchange.admin("POST", "keys", {"account": self.account, "rights": rights})
            (folder / "cred/exchange_key").write_text(json.dumps({"key": made["key"], "secret": made["secret"]}))
        self.config = self._config(changes)

    def _config(self, changes: dict[str, Any]) -> dict[str, Any]:
        base = f"http://127.0.0.1:{self.exchange.port}"
        raw: dict[str, Any] = {
            "instance": self.mode, "mode": self.mode, "stage": "day1", "rehearsal": True, "position_size_usdt": 5.0, "max_positions": 2,
            "trade_pairs": PAIRS[:3], "decide_s": "0.05", "heartbeat_s": "0.5", "faults": {},
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
            "dashboard": {"host": "127.0.0.1", "port": self.port}}
        for name, value in changes.items():
            place, _, key = name.rpartition("__")
            (raw[place] if place else raw)[key] = value
        return raw

    def start(self, ahead_s: float = 0.0) -> Copy:
        """Start it, its clock ahead by so many seconds, and wait for its first decision."""
        (self.folder / "config.json").write_text(json.dumps(self.config))
        clock = self.folder / "clock"
        clock.mkdir(exist_ok=True)
        (clock / "sitecustomize.py").write_text(_CLOCK.format(ahead_s=ahead_s) if ahead_s else "")
        environment = {**os.environ, "PYTHONPATH": f"{clock}:{self.app}", "CREDENTIALS_DIRECTORY": str(self.folder / "cred"),
                       "BOT_CONFIG": str(self.folder / "config.json"), "PYTHONDONTWRITEBYTECODE": "1"}
        with (self.folder / "out").open("ab") as out:
            self._running = subprocess.Popen([sys.executable, "-m", "kraken_micro", "run"], env=environment, stdout=out, stderr=out)
        wait_for(lambda: self.health()["decisions"] > 0, "the bot decides")
        return self

    def end(self, how: int = signal.SIGTERM) -> None:
        """End it by a signal."""
        if self._running is not None and self._running.poll() is None:
            self._running.send_signal(how)
            self._running.wait(30)

    def health(self) -> dict[str, Any]:
        """Return what the bot says of itself; no verdict rests on it alone."""
        return dict(json.loads(self.get("/health")))

    def get(self, path: str) -> str:
        """Return a page of the bot."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
            return str(answer.read().decode())

    def ledger(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the whole records of the ledger, of these kinds."""
        lines = (self.folder / "state/ledger.jsonl").read_text().splitlines(keepends=True)
        return [one for one in (json.loads(line) for line in lines if line.endswith("\n")) if not kinds or one["kind"] in kinds]

    def wait_position(self) -> dict[str, Any]:
        """Wait until a position is open with its stop resting."""
        return dict(wait_for(lambda: next((one for one in self.health()["positions"] if one["stop"]), None), "a protected position"))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack a release and return its `app` directory."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "app"
