"""Kraken's WebSocket protocol, version 2: prices for everybody, executions and balances with a token.

Source of the forms: https://docs.kraken.com/api/docs/websocket-v2/ (ticker, status, executions, balances).
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import aiohttp

from .errors import VenueError
from .metrics import Metrics

log = logging.getLogger("kraken_micro.stream")

# The venue sends a heartbeat each second while nothing else is to be told; silence for this long is a dead socket.
SILENCE_S = 10.0
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Price:
    """Best prices of a pair and when they arrived (unix seconds, our clock)."""

    bid: Decimal
    bid_volume: Decimal
    ask: Decimal
    ask_volume: Decimal
    last: Decimal
    at: float


class Market:
    """Last prices and the venue's status as the public stream tells them."""

    def __init__(self, clock: Callable[[], float] = time.time, factor: Decimal = Decimal(1)) -> None:
        self._clock, self._factor = clock, factor  # the factor is 1 but for the fault price_factor
        self.prices: dict[str, Price] = {}
        self.status: str | None = None
        self.on_price: list[Callable[[str, Price], None]] = []

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the stream in; what has not the documented form is left out and logged."""
        channel, data = message.get("channel"), message.get("data")
        if not isinstance(data, list):
            return
        for item in data:
            try:
                if channel == "status":
                    self.status = str(item["system"])
                elif channel == "ticker":
                    self._ticker(item)
            except (KeyError, TypeError, ArithmeticError):
                log.warning("malformed message", extra={"channel": channel})

    def _ticker(self, item: dict[str, Any]) -> None:
        names = ("bid", "bid_qty", "ask", "ask_qty", "last")
        bid, bid_volume, ask, ask_volume, last = (Decimal(item[name]) for name in names)
        bid, ask, last = bid * self._factor, ask * self._factor, last * self._factor
        if not (0 < bid <= ask and last > 0):
            log.warning("crossed or empty price left out", extra={"pair": item["symbol"]})
            return
        price = Price(bid, bid_volume, ask, ask_volume, last, self._clock())
        self.prices[str(item["symbol"])] = price
        for listener in self.on_price:
            listener(str(item["symbol"]), price)

    def age(self, pair: str) -> float | None:
        """Return the seconds since the last price of a pair, None when there was none."""
        price = self.prices.get(pair)
        return None if price is None else max(0.0, self._clock() - price.at)


class Stream:
    """Keeps one socket alive: connects, subscribes, hands messages over, notices silence, connects again."""

    def __init__(
        self,
        name: str,
        url: str,
        session: aiohttp.ClientSession,
        ssl_context: ssl.SSLContext | None,
        subscriptions: Callable[[], Awaitable[list[dict[str, Any]]]],
        take: Callable[[dict[str, Any]], None],
        lost: Callable[[], None] = lambda: None,
        metrics: Metrics | None = None,
    ) -> None:
        self.name, self._url, self._session = name, url, session
        self._ssl: Any = ssl_context if ssl_context is not None else True
        self._subscriptions, self._take, self._lost, self._metrics = subscriptions, take, lost, metrics
        self.connected = False
        self.connections = 0

    async def run(self) -> None:
        """Run until cancelled."""
        failures = 0
        while True:
            try:
                await self._connection()
            except (VenueError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
                log.warning("stream lost", extra={"stream": self.name, "reason": f"{type(exc).__name__} {exc}"[:200]})
            finally:
                failures = 0 if self.connected else failures  # one that was up is tried again at once
                self._set(False)
                self._lost()
            await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)])
            failures += 1

    async def _connection(self) -> None:
        wanted = await self._subscriptions()
        timeout = aiohttp.ClientWSTimeout(ws_close=1.0)
        async with self._session.ws_connect(self._url, ssl=self._ssl, timeout=timeout, max_msg_size=4 << 20) as socket:
            self.connections += 1
            if self._metrics and self.connections > 1:
                self._metrics.ws_reconnects.inc()
            for number, params in enumerate(wanted, 1):
                await socket.send_str(json.dumps({"method": "subscribe", "params": params, "req_id": number}))
            while True:
                message = await asyncio.wait_for(socket.receive(), SILENCE_S)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    raise VenueError(f"closed with code {socket.close_code}")
                self._message(message.data)

    def _message(self, text: str) -> None:
        payload = json.loads(text, parse_float=Decimal)
        if not isinstance(payload, dict):
            return
        if payload.get("method") == "subscribe" and payload.get("success") is False:
            raise VenueError(f"subscription refused: {str(payload.get('error'))[:120]}")
        if self._metrics:
            self._metrics.ws_messages.inc()
        self._set(True)
        self._take(payload)

    def _set(self, connected: bool) -> None:
        self.connected = connected
        if self._metrics:
            self._metrics.ws_connected.set(1 if connected else 0)


class Account:
    """Balances and hints of executions as the private stream tells them."""

    def __init__(self) -> None:
        self.balances: dict[str, Decimal] | None = None
        self.executed = asyncio.Event()

    def take(self, message: dict[str, Any]) -> None:
        """Take a message of the stream in."""
        channel, data = message.get("channel"), message.get("data")
        if channel == "executions":
            self.executed.set()  # what happened is then asked for: one source of truth for fills
        if channel != "balances" or not isinstance(data, list):
            return
        try:
            found = {str(item["asset"]): Decimal(item["balance"]) for item in data}
        except (KeyError, TypeError, ArithmeticError):
            self.lost()
            return
        self.balances = found if message.get("type") == "snapshot" else {**(self.balances or {}), **found}

    def lost(self) -> None:
        """The stream is gone: what it said is no longer known."""
        self.balances = None
