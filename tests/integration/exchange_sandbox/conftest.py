"""A running sandbox per test: real sockets on loopback, its own state, and small clients for both sides."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

ROOT = Path(__file__).resolve().parents[3]
RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "query-ledger", "modify-trades", "close-trades", "create-ws-token"]
#: a loaded machine gets its time; no test asserts speed
DEADLINE_S = 30.0


def eventually(check: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Poll until `check` returns something true."""
    end = time.monotonic() + deadline_s
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < end, "did not happen: %s" % what
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as handle:
        handle.bind(("127.0.0.1", 0))
        return int(handle.getsockname()[1])


def http(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None, timeout: float = DEADLINE_S
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@dataclass
class Sandbox:
    """A sandbox process and its administration interface."""

    directory: Path
    settings: dict[str, Any]
    token: str
    venue: str
    admin: str
    process: subprocess.Popen[bytes] | None = None
    log: Path = field(default=Path())

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "exchange_sandbox", "--config", str(self.directory / "config.json")],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        eventually(self._up, "the sandbox answers; its log: %s" % self.log, 4 * DEADLINE_S)

    def _up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            # both doors: the administration opens after the venue's
            first = self.settings.get("venues", ["kraken"])[0]
            path = {"kraken": "/0/public/Time", "binance": "/api/v3/time", "binance_usdm": "/fapi/v1/time"}[first]
            return http("GET", self.venue + path)[0] == 200 and http("GET", self.admin + "/metrics")[0] in (200, 401)
        except OSError:
            return False

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(DEADLINE_S)

    def ask(self, method: str, path: str, data: Any = None, expect: int | None = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        status, _, text = http(method, self.admin + "/sandbox/v1/" + path, body, {"Authorization": "Bearer " + self.token})
        assert expect is None or status == expect, (status, text)
        return json.loads(text)

    def account(self, name: str = "bot", **more: Any) -> dict[str, Any]:
        return self.ask("POST", "accounts", {"name": name, "balances": {"USDT": "1000"}, **more}, 201)

    def key(self, account: str = "bot", **more: Any) -> Client:
        made = self.ask("POST", "keys", {"account": account, "rights": RIGHTS, **more}, 201)
        return Client(self.venue, made["key"], made["secret"])

    def verdicts(self, account: str | None = "bot", since: float = 0) -> dict[str, Any]:
        return self.ask("GET", "verdicts?since=%s%s" % (since, "&account=" + account if account else ""), None, 200)

    def failed(self, account: str | None = "bot") -> set[str]:
        return {rule for rule, row in self.verdicts(account)["rules"].items() if row["fail"]}

    def unjudged(self, account: str | None = "bot") -> set[str]:
        return {rule for rule, row in self.verdicts(account)["rules"].items() if row["unjudged"]}

    def state(self, account: str = "bot") -> dict[str, Any]:
        return self.ask("GET", "state/" + account, None, 200)

    def cruelty(self, name: str, for_s: float = 600, account: str | None = None, **params: Any) -> dict[str, Any]:
        return self.ask("POST", "cruelties", {"name": name, "for_s": for_s, "account": account, "params": params}, 201)


@dataclass
class Client:
    """A raw, deliberately simple Kraken client, so that tests can send what no library would."""

    venue: str
    key: str
    secret: str
    agent: str = "raw-client"
    last: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def nonce(self) -> int:
        with self.lock:
            self.last = max(self.last + 1, time.time_ns() // 1_000)
            return self.last

    def sign(self, path: str, nonce: str, body: bytes) -> str:
        inner = hashlib.sha256(nonce.encode() + body).digest()
        return base64.b64encode(hmac.new(base64.b64decode(self.secret), path.encode() + inner, hashlib.sha512).digest()).decode()

    def call(self, endpoint: str, nonce: int | None = None, flip: bool = False, **params: Any) -> dict[str, Any]:
        path = "/0/private/" + endpoint
        number = str(self.nonce() if nonce is None else nonce)
        body = urlencode({"nonce": number, **params}).encode()
        signature = self.sign(path, number, body)
        if flip:
            raw = bytearray(base64.b64decode(signature))
            raw[0] ^= 1
            signature = base64.b64encode(raw).decode()
        _, _, text = http(
            "POST",
            self.venue + path,
            body,
            {"API-Key": self.key, "API-Sign": signature, "User-Agent": self.agent, "Content-Type": "application/x-www-form-urlencoded"},
        )
        return json.loads(text)

    def good(self, endpoint: str, **params: Any) -> Any:
        answer = self.call(endpoint, **params)
        assert answer["error"] == [], answer
        return answer["result"]

    def look(self, pair: str = "SHIBUSDT") -> dict[str, Any]:
        answer = json.loads(http("GET", self.venue + "/0/public/Ticker?pair=" + pair, None, {"User-Agent": self.agent})[2])
        return next(iter(answer["result"].values()))

    def buy(self, **more: Any) -> Any:
        return self.good("AddOrder", **{"pair": "SHIBUSDT", "type": "buy", "ordertype": "market", "volume": "600000", **more})


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    started: list[Sandbox] = []

    def make(**settings: Any) -> Sandbox:
        directory = tmp_path / ("sandbox%d" % len(started))
        directory.mkdir()
        token = secrets.token_hex(24)
        (directory / "token").write_text(token)
        venue, admin = free_port(), free_port()
        config = {
            "state_dir": str(directory / "state"),
            "token_file": str(directory / "token"),
            "allow_plain_http_on_loopback": True,
            "venue": {"host": "127.0.0.1", "port": venue},
            "admin": {"host": "127.0.0.1", "port": admin},
            "public_rate": {"max": 100000, "decay": 1000},
            **settings,
        }
        (directory / "config.json").write_text(json.dumps(config))
        sandbox = Sandbox(directory, config, token, "http://127.0.0.1:%d" % venue, "http://127.0.0.1:%d" % admin, log=directory / "log")
        started.append(sandbox)
        sandbox.start()
        return sandbox

    yield make
    for sandbox in started:
        sandbox.stop(signal.SIGKILL)


def start_in(directory: Path, **settings: Any) -> Sandbox:
    token = secrets.token_hex(24)
    (directory / "token").write_text(token)
    venue, admin = free_port(), free_port()
    config = {
        "state_dir": str(directory / "state"),
        "token_file": str(directory / "token"),
        "allow_plain_http_on_loopback": True,
        "venue": {"host": "127.0.0.1", "port": venue},
        "admin": {"host": "127.0.0.1", "port": admin},
        "public_rate": {"max": 100000, "decay": 1000},
        **settings,
    }
    (directory / "config.json").write_text(json.dumps(config))
    sandbox = Sandbox(directory, config, token, "http://127.0.0.1:%d" % venue, "http://127.0.0.1:%d" % admin, log=directory / "log")
    sandbox.start()
    return sandbox


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the tests of a module that only open their own accounts."""
    sandbox = start_in(tmp_path_factory.mktemp("shared"))
    yield sandbox
    sandbox.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def binance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The same for Binance: spot and USD-M futures, with weights that a whole module does not use up."""
    sandbox = start_in(
        tmp_path_factory.mktemp("binance"),
        venues=["binance", "binance_usdm"],
        binance_weights={"spot": 1_000_000, "usdm": 1_000_000, "sapi": 1_000_000},
    )
    yield sandbox
    sandbox.stop(signal.SIGKILL)


@pytest.fixture
def run() -> Callable[[Any], Any]:
    """Run a coroutine with a deadline."""

    def go(coroutine: Any) -> Any:
        return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S * 2))

    return go
