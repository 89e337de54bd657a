"""A raw, deliberately simple Binance client, so that tests can send what no library would, and libraries pointed at the sandbox."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlparse

from .conftest import Sandbox, http

RIGHTS = ["enableReading", "enableSpotAndMarginTrading", "enableFutures", "permitsUniversalTransfer"]


@dataclass
class BinanceClient:
    """Signs as the venue's documents say. `call` returns status and answer."""

    sandbox: Sandbox
    key: str
    secret: str
    account: str
    agent: str = "raw-client"
    last_headers: dict[str, str] | None = None

    def now(self) -> int:
        return int(self.sandbox.ask("GET", "clock")["now"] * 1000)

    def call(
        self, method: str, path: str, signed: bool = True, flip: bool = False, timestamp: int | None = None, **params: Any
    ) -> tuple[int, Any]:
        values = {name: str(value).lower() if isinstance(value, bool) else value for name, value in params.items() if value is not None}
        headers = {"User-Agent": self.agent}
        if signed:
            values["timestamp"] = self.now() if timestamp is None else timestamp
            payload = urlencode(values)
            signature = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
            if flip:
                signature = "%x" % (int(signature[0], 16) ^ 1) + signature[1:]
            payload += "&signature=" + signature
            headers["X-MBX-APIKEY"] = self.key
        else:
            payload = urlencode(values)
        body = None
        url = self.sandbox.venue + path
        if method in ("GET", "DELETE"):
            url += "?" + payload if payload else ""
        else:
            body, headers["Content-Type"] = payload.encode(), "application/x-www-form-urlencoded"
        status, self.last_headers, text = http(method, url, body, headers)
        return status, json.loads(text)

    def good(self, method: str, path: str, **params: Any) -> Any:
        status, answer = self.call(method, path, **params)
        assert status == 200, (status, answer)
        return answer

    def code(self, method: str, path: str, **params: Any) -> int:
        status, answer = self.call(method, path, **params)
        assert status >= 400, answer
        return int(answer["code"])

    def look(self, symbol: str = "BTCUSDT", futures: bool = False) -> float:
        path = "/fapi/v1/ticker/price" if futures else "/api/v3/ticker/price"
        return float(self.good("GET", path, signed=False, symbol=symbol)["price"])

    def spot(self, side: str = "BUY", quantity: str = "0.001", **more: Any) -> Any:
        return self.good("POST", "/api/v3/order", **{"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": quantity, **more})

    def future(self, side: str = "BUY", quantity: str = "0.010", **more: Any) -> Any:
        values = {"symbol": "BTCUSDT", "side": side, "type": "MARKET", "quantity": quantity, "newOrderRespType": "RESULT", **more}
        return self.good("POST", "/fapi/v1/order", **values)


def open_account(
    sandbox: Sandbox, name: str, spot: str = "5000", futures: str = "5000", rights: list[str] | None = None, **more: Any
) -> BinanceClient:
    balances = {asset: amount for asset, amount in (("USDT", spot), ("um:USDT", futures)) if amount}
    sandbox.ask("POST", "accounts", {"name": name, "venue": "binance", "balances": balances, **more}, 201)
    made = sandbox.ask("POST", "keys", {"account": name, "rights": rights or RIGHTS}, 201)
    return BinanceClient(sandbox, made["key"], made["secret"], name)


def another_key(client: BinanceClient, **more: Any) -> BinanceClient:
    made = client.sandbox.ask("POST", "keys", {"account": client.account, "rights": RIGHTS, **more}, 201)
    return BinanceClient(client.sandbox, made["key"], made["secret"], client.account)


def point_ccxt(exchange: Any, sandbox: Sandbox, client: BinanceClient) -> Any:
    """Change a ccxt client's URLs, and nothing else."""
    api = exchange.urls["api"]
    for name, url in list(api.items()):
        if isinstance(url, str):
            api[name] = sandbox.venue + urlparse(url).path
    wide = sandbox.venue.replace("http", "ws")
    if "ws" in api:
        api["ws"]["spot"], api["ws"]["linear"] = wide + "/stream/ws", wide + "/ws"
        api["ws"]["ws-api"]["spot"], api["ws"]["ws-api"]["linear"] = wide + "/ws-api/v3", wide + "/ws-fapi/v1"
    exchange.apiKey, exchange.secret = client.key, client.secret
    exchange.enableRateLimit = False
    return exchange
