"""Binance's WebSocket doors: market streams, user data streams by listen key, and the WebSocket API."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any, Optional

from aiohttp import WSMsgType, web

from ... import MARKER_HEADER, MARKER_VALUE
from ...engine import Fact
from ...seen import Seen
from ..connection import Connection
from ..front import Answer, Front
from .errors import BinanceError
from .events import Tracker
from .feeds import Feeds, text_of
from .instruments import SPOT, USDM
from .market_data import MarketData
from .ws_api import WsApi

if TYPE_CHECKING:
    from ...core import Exchange
    from .rest import Rest

MOST_CONNECTIONS, MOST_STREAMS = 2_000, 1_024
#: the venue pings every 20 s (spot) or 3 min (futures) and closes who does not answer
PING_S = {SPOT: 20.0, USDM: 180.0}
#: path segments that only the futures streams have
_FUTURES_PARTS = ("public", "market", "private", "um")
#: [/public]/ws[/names], [/public]/stream?streams=, and /stream/ws[/names]
_PATH = re.compile(r"(?:/(?:public|market|private|um|stream))?(?:/ws(?:/(?P<names>.*))?|(?P<stream>/stream))")
_KEY = re.compile(r"[A-Za-z0-9]{60,128}")


class Socket(Connection):
    """One stream connection."""

    gap_kinds = ("depth", "user")

    def __init__(self, exchange: Exchange, socket: web.WebSocketResponse, source: str, agent: str, market: str, combined: bool) -> None:
        super().__init__(exchange, socket, source, agent)
        self.market, self.combined = market, combined
        self.streams: set[str] = set()
        #: account -> how its events are wrapped: by nothing, by the listen key's stream name, or by a subscription id
        self.users: dict[str, str] = {}
        self.subscriptions: dict[int, str] = {}

    def event(self, account: str, event: dict[str, Any]) -> None:
        """Send a user data event with the cruelties that touch executions."""
        name = self.users[account]
        number = next((item for item, owner in self.subscriptions.items() if owner == account), None)
        data: dict[str, Any] = event if number is None else {"subscriptionId": number, "event": event}
        if number is None and self.combined:
            data = {"stream": name, "data": event}
        text = text_of(data)
        self.send(text, "user")
        if not self._exchange.cruelties.active:
            return
        report = event.get("o") if event["e"] == "ORDER_TRADE_UPDATE" else event
        if not isinstance(report, dict) or report.get("x") != "TRADE":
            return
        if self.strike("duplicate_fills") is not None:
            self.send(text, "user")
        cut = self._find("partial_fill_then_disconnect")
        if cut is not None and report.get("X") == "PARTIALLY_FILLED":
            cut.fired += 1
            self.cut()


class Sockets:
    """The venue's stream side, spot and futures."""

    def __init__(self, exchange: Exchange, rest: Rest) -> None:
        self.exchange, self.rest = exchange, rest
        self.feeds = Feeds(exchange, MarketData(exchange, rest.gate, rest.limits))
        self.api = WsApi(exchange, rest)
        self.connections: set[Socket] = set()
        self._tracker = Tracker(exchange)
        exchange.listeners.append(self._on_facts)
        exchange.after_beat.append(self._beat)

    def add_routes(self, front: Front) -> None:
        # ccxt tells spot from futures by `/stream` in the URL, which the venue's host name has: /stream/ws is /ws.
        for part in ("ws", "stream", *_FUTURES_PARTS):
            front.get("/" + part, self.handle)
            front.below(part, self.handle)
        front.get("/ws-api/v3", self.handle_api)
        front.get("/ws-fapi/v1", self.handle_api)

    def _market(self, request: web.BaseRequest) -> str:
        """Spot and futures have the same paths at the venue; host or path segment tells them apart, or there is only one of them here."""
        venues = self.exchange.config.venues
        first = request.path.split("/")[1]
        if first in _FUTURES_PARTS or request.host.startswith(("fstream", "ws-fapi")) or first == "ws-fapi" or SPOT not in venues:
            return USDM
        return SPOT

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one stream connection until either side closes it."""
        market, found = self._market(request), _PATH.fullmatch(request.path)
        if found is None:
            return Answer(b"404: Not Found", 404, "text/plain")
        combined = found["stream"] is not None
        names = (found["names"] or "").split("/") if not combined else request.query.get("streams", "").split("/")
        if request.query.get("listenKey"):
            names.append(request.query["listenKey"])
        return await self._serve(request, market, combined, [name for name in names if name])

    async def handle_api(self, request: web.BaseRequest) -> web.StreamResponse:
        return await self._serve(request, self._market(request), False, None)

    async def _serve(self, request: web.BaseRequest, market: str, combined: bool, names: Optional[list[str]]) -> web.StreamResponse:
        exchange = self.exchange
        source, agent = request.remote or "", request.headers.get("User-Agent", "")
        if exchange.cruelty("ws_refused", None, source) is not None or len(self.connections) >= MOST_CONNECTIONS:
            return Answer(b"error code: 1015", 429, "text/plain; charset=utf-8")
        socket = web.WebSocketResponse(max_msg_size=65_536, autoping=True, compress=False, heartbeat=PING_S[market])
        socket.headers[MARKER_HEADER] = MARKER_VALUE
        await socket.prepare(request)
        if not self.connections:
            self._tracker.learn()
        connection = Socket(exchange, socket, source, agent, market, combined)
        self.connections.add(connection)
        sender = asyncio.create_task(connection.run())
        self._count()
        try:
            if names and not self._open(connection, names):
                return socket
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await (self.api.on_text if names is None else self._on_text)(connection, message.data)
        finally:
            self.connections.discard(connection)
            for name in list(connection.streams):
                self.feeds.unsubscribe(market, name, connection)
            self._count()
            connection.close()
            await sender
        return socket

    def _count(self) -> None:
        self.exchange.metrics.streams.labels("true").set(len(self.connections))

    def _open(self, connection: Socket, names: list[str]) -> bool:
        """Take the streams that a URL names. False for a listen key that does not exist: the venue lets such a connection end."""
        seen = self.exchange.seen("binance", "ws", "open", connection.source, connection.agent)
        good = True
        try:
            for name in names[:MOST_STREAMS]:
                if _KEY.fullmatch(name):
                    good = self._listen(connection, seen, name) and good
                elif self.feeds.subscribe(connection.market, name, connection):
                    connection.streams.add(name)
                else:
                    seen.bad("protocol", "no stream %s" % name[:40])
            seen.ok("protocol")
        finally:
            seen.status = "ws"
            self.exchange.recorder.add(seen)
        return good

    def _listen(self, connection: Socket, seen: Seen, name: str) -> bool:
        found = self.rest.listen_keys.find(name, connection.market, seen.at)
        if found is None:
            seen.bad("key_known", "the listen key does not exist or has expired")
            return False
        seen.ok("key_known")
        seen.account = connection.account = found.account
        connection.users[found.account] = name
        return True

    # -- requests on a stream ------------------------------------------------------------------------------------------

    async def _on_text(self, connection: Socket, text: str) -> None:
        """SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS."""
        started = time.perf_counter()
        seen = self.exchange.seen("binance", "ws", "", connection.source, connection.agent)
        number: Any = None
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise ValueError
            number = message.get("id")
            if not (number is None or isinstance(number, (int, str))) or isinstance(number, bool):
                number = None
                raise BinanceError(2, "Invalid request: request ID must be an unsigned integer")
            answer = self._request(connection, seen, message)
            reply: dict[str, Any] = {"result": answer, "id": number}
            seen.ok("protocol")
        except (ValueError, RecursionError):
            seen.bad("protocol", "no JSON object")
            reply = {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
        except BinanceError as error:
            seen.bad("protocol", error.text)
            seen.error = error.text
            reply = {"error": {"code": error.code, "msg": error.text}, "id": number}
        connection.send(text_of(reply), "reply")
        seen.status = "ws"
        seen.latency_ms = (time.perf_counter() - started) * 1000
        self.exchange.recorder.add(seen)

    def _request(self, connection: Socket, seen: Seen, message: dict[str, Any]) -> Any:
        method, params = message.get("method"), message.get("params", [])
        seen.endpoint = str(method)[:40]
        if method == "LIST_SUBSCRIPTIONS":
            return sorted(connection.streams)
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            raise BinanceError(2, "Invalid request: unknown variant `%s`" % str(method)[:40])
        if not isinstance(params, list) or not params or not all(isinstance(name, str) for name in params):
            raise BinanceError(2, "Invalid request: params must be an array of strings")
        if len(connection.streams) + len(params) > MOST_STREAMS:
            raise BinanceError(2, "Invalid request: more than %d streams" % MOST_STREAMS)
        seen.note({"streams": ",".join(params)})
        for name in params:
            if method == "UNSUBSCRIBE":
                self.feeds.unsubscribe(connection.market, name, connection)
                connection.streams.discard(name)
            elif _KEY.fullmatch(name):
                self._listen(connection, seen, name)
            elif self.feeds.subscribe(connection.market, name, connection):
                connection.streams.add(name)
            else:
                seen.bad("protocol", "no stream %s" % name[:40])
        return None

    # -- what happens --------------------------------------------------------------------------------------------------

    def _on_facts(self, facts: list[Fact]) -> None:
        if not self.connections:
            return
        if not any(connection.users for connection in self.connections):
            self._tracker.remember(facts)
            return
        events = self._tracker.events(facts)
        if not events:
            return
        for connection in list(self.connections):
            for account in list(connection.users):
                for event in events.get((account, connection.market), ()):
                    connection.event(account, event)

    def _beat(self) -> None:
        now = self.exchange.clock.real()
        for connection in list(self.connections):
            connection.beat(now)
