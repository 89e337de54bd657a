"""The same scenes on Binance: a spot account, and a USD-M futures account in one-way or hedge mode."""
from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, free_port, http
from tests.integration.kill_switch.scene import PREFIX, STOPPED, Pulls

RIGHTS = ["enableReading", "enableSpotAndMarginTrading", "enableFutures"]


class Refusal(AssertionError):
    """The venue refused what a scene needs."""


class Signed:
    """A deliberately simple client for the bot and for the owner."""

    def __init__(self, url: str, key: str, secret: str) -> None:
        self.url, self.key, self.secret, self.offset = url, key, secret, 0.0

    def sync(self) -> None:
        """Set the clock by the venue's."""
        self.offset = self.public("/fapi/v1/time")["serverTime"] / 1000 - time.time()

    def good(self, method: str, path: str, **params: Any) -> Any:
        query = urlencode({**params, "timestamp": int((time.time() + self.offset) * 1000), "recvWindow": 50000})
        query += "&signature=" + hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        status, _, text = http(method, self.url + path + "?" + query, None, {"X-MBX-APIKEY": self.key})
        if status != 200:
            raise Refusal("%s %s: %d %s" % (method, path, status, text[:300]))
        return json.loads(text)

    def public(self, path: str) -> Any:
        return json.loads(http("GET", self.url + path)[2])


class BinanceScene(Pulls):
    """What both markets share."""

    market, balances, pairs, quote = "binance", {"USDT": "100000"}, ["SOLUSDT", "XRPUSDT"], "USDT"

    def __init__(self, sandbox: Sandbox, folder: Path, tier: str = "unlimited") -> None:
        self.sandbox, self.folder, self.account = sandbox, folder, "b-%s" % uuid.uuid4().hex[:10]
        folder.mkdir(parents=True, exist_ok=True)
        sandbox.account(self.account, venue="binance", tier=tier, balances=self.balances)
        self.bot = Signed(sandbox.venue, *self.mint())
        credential = folder / "key.json"
        key, secret = self.mint()
        credential.write_text(json.dumps({"key": key, "secret": secret}))
        credential.chmod(0o600)
        self.settings: dict[str, Any] = {
            "system": "lab", "venue": self.market, "url": sandbox.venue, "credential": str(credential), "quote": self.quote,
            "pairs": self.pairs, "policy": "hold", "epoch_directory": str(folder / "epoch"), "record_directory": str(folder / "records"),
            "settle_s": 0.3, "fence": STOPPED}

    def mint(self) -> tuple[str, str]:
        made = self.sandbox.ask("POST", "keys", {"account": self.account, "rights": RIGHTS}, 201)
        return made["key"], made["secret"]

    def flatten(self, **more: Any) -> None:
        self.settings.update(policy="flatten", client_id_prefix=PREFIX, inventory_since=time.time() - 3600, place_stops={"distance_pct": 5},
                             turn={"slot_s": 5}, flatten={"loss_cap_quote": 50, "price_guard_pct": 3}, **more)

    def own(self, name: str = "newClientOrderId") -> dict[str, str]:
        return {name: PREFIX + uuid.uuid4().hex[:12]}


class SpotScene(BinanceScene):
    """Binance spot."""

    def price(self, factor: float, symbol: str = "SOLUSDT") -> str:
        last = self.bot.public("/api/v3/ticker/price?symbol=" + symbol)["price"]
        return "%.2f" % (float(last) * factor) if symbol == "SOLUSDT" else "%.4f" % (float(last) * factor)

    def entries(self, count: int = 2, symbol: str = "SOLUSDT") -> None:
        for _ in range(count):
            self.bot.good("POST", "/api/v3/order", symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", quantity="1",
                          price=self.price(0.7, symbol), **self.own())

    def position(self, *, stop: bool, volume: str = "2", symbol: str = "SOLUSDT") -> None:
        self.bot.good("POST", "/api/v3/order", symbol=symbol, side="BUY", type="MARKET", quantity=volume, **self.own())
        if stop:
            self.stop("%.3f" % (float(volume) * 0.998), symbol)

    def stop(self, volume: str, symbol: str = "SOLUSDT") -> int:
        made = self.bot.good("POST", "/api/v3/order", symbol=symbol, side="SELL", type="STOP_LOSS", quantity=volume,
                             stopPrice=self.price(0.9, symbol), **self.own())
        return int(made["orderId"])

    def owners(self) -> dict[str, Any]:
        self.bot.good("POST", "/api/v3/order", symbol="SOLUSDT", side="BUY", type="MARKET", quantity="5")
        coins = self.balance()
        made = [self.bot.good("POST", "/api/v3/order", symbol="SOLUSDT", side=side, type="LIMIT", timeInForce="GTC", quantity="1",
                              price=self.price(factor)) for side, factor in (("SELL", 1.5), ("BUY", 0.6))]
        return {"coins": coins, "orders": {one["orderId"] for one in made}}

    def open_orders(self) -> list[dict[str, Any]]:
        return list(self.bot.good("GET", "/api/v3/openOrders"))

    def balance(self, asset: str = "SOL") -> float:
        rows = self.bot.good("GET", "/api/v3/account")["balances"]
        return sum(float(row["free"]) + float(row["locked"]) for row in rows if row["asset"] == asset)


class FuturesScene(BinanceScene):
    """Binance USD-M futures."""

    market, balances, pairs = "binance_usdm", {"um:USDT": "100000"}, ["SOLUSDT", "XRPUSDT"]

    def hedge(self) -> None:
        self.bot.good("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")

    def price(self, factor: float, symbol: str = "SOLUSDT") -> str:
        last = self.bot.public("/fapi/v1/premiumIndex?symbol=" + symbol)["markPrice"]
        return "%.*f" % (2 if symbol == "SOLUSDT" else 4, float(last) * factor)

    def order(self, symbol: str, side: str, quantity: str, **more: Any) -> Any:
        return self.bot.good("POST", "/fapi/v1/order", **{"symbol": symbol, "side": side, "type": "MARKET", "quantity": quantity,
                                                          **self.own(), **more})

    def entries(self, count: int = 2, symbol: str = "SOLUSDT", **more: Any) -> None:
        for _ in range(count):
            self.order(symbol, "BUY", "1", type="LIMIT", timeInForce="GTC", price=self.price(0.8, symbol), **more)

    def algo(self, symbol: str, side: str, trigger: float, **more: Any) -> Any:
        return self.bot.good("POST", "/fapi/v1/algoOrder", **{"algoType": "CONDITIONAL", "symbol": symbol, "side": side,
                                                              "type": "STOP_MARKET", "triggerPrice": self.price(trigger, symbol),
                                                              **self.own("clientAlgoId"), **more})

    def open_orders(self) -> list[dict[str, Any]]:
        return list(self.bot.good("GET", "/fapi/v1/openOrders"))

    def open_algos(self) -> list[dict[str, Any]]:
        return list(self.bot.good("GET", "/fapi/v1/openAlgoOrders"))

    def positions(self) -> dict[tuple[str, str], float]:
        return {(row["symbol"], row["positionSide"]): float(row["positionAmt"]) for row in self.bot.good("GET", "/fapi/v3/positionRisk")
                if float(row["positionAmt"])}


@pytest.fixture(scope="module")
def binance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One rehearsal exchange with both of Binance's markets for the tests of a module."""
    directory = tmp_path_factory.mktemp("binance")
    token = secrets.token_hex(24)
    (directory / "token").write_text(token)
    venue, admin = free_port(), free_port()
    config = {"state_dir": str(directory / "state"), "token_file": str(directory / "token"), "allow_plain_http_on_loopback": True,
              "venue": {"host": "127.0.0.1", "port": venue}, "admin": {"host": "127.0.0.1", "port": admin},
              "public_rate": {"max": 100000, "decay": 1000}, "venues": ["kraken", "binance", "binance_usdm"],
              "binance_weights": {"spot": 1000000, "usdm": 1000000, "sapi": 1000000}}
    (directory / "config.json").write_text(json.dumps(config))
    sandbox = Sandbox(directory, config, token, "http://127.0.0.1:%d" % venue, "http://127.0.0.1:%d" % admin, log=directory / "log")
    sandbox.start()
    yield sandbox
    sandbox.stop(9)
