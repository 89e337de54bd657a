"""Kraken's WebSocket v2: one connection, its subscriptions and its trading calls."""

from __future__ import annotations

import asyncio
import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from ... import MARKER_HEADER, MARKER_VALUE
from ...accounts import Account, LedgerEntry
from ...engine import Fact
from ...keys import Key, hashed
from ...seen import Seen
from ..front import Answer, Front
from .auth import RIGHTS
from .errors import KrakenError
from .executions import Tracker, balances, booking, full, trade
from .feeds import DEPTHS, INTERVALS, Feeds, Topic
from .instruments import find_pair
from .stream import Connection
from .wire import encode, stamp
from .ws_params import to_form

if TYPE_CHECKING:
    from ...core import Exchange
    from .rest import Rest

PUBLIC = ("ticker", "book", "trade", "ohlc", "instrument")
PRIVATE = ("executions", "balances")
#: WebSocket method -> REST endpoint whose right it needs
METHODS = {
    "add_order": "AddOrder",
    "batch_add": "AddOrderBatch",
    "amend_order": "AmendOrder",
    "edit_order": "EditOrder",
    "cancel_order": "CancelOrder",
    "batch_cancel": "CancelOrderBatch",
    "cancel_all": "CancelAll",
    "cancel_all_orders_after": "CancelAllOrdersAfter",
}
SNAPSHOT_FILLS = 50
MOST_CONNECTIONS = 2_000


class WebSocket:
    """The venue's stream side."""

    def __init__(self, exchange: Exchange, rest: Rest) -> None:
        self.exchange, self._rest = exchange, rest
        self.feeds = Feeds(exchange, rest.public)
        self.connections: set[Connection] = set()
        self._tracker = Tracker()
        self._count = 0
        exchange.listeners.append(self._on_facts)
        exchange.after_beat.append(self._beat)

    def add_routes(self, front: Front) -> None:
        front.get("/v2", self.handle)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Serve one connection until either side closes it."""
        source, agent = request.remote or "", request.headers.get("User-Agent", "")
        if self.exchange.cruelty("ws_refused", None, source) is not None or len(self.connections) >= MOST_CONNECTIONS:
            return Answer(b"error code: 1015", 429, "text/plain; charset=utf-8")
        socket = web.WebSocketResponse(max_msg_size=65_536, autoping=True, compress=False)
        socket.headers[MARKER_HEADER] = MARKER_VALUE
        await socket.prepare(request)
        self._count += 1
        if not self.connections:
            self._tracker.learn(self.exchange.engine.orders.values())
        connection = Connection(self.exchange, socket, source, agent)
        self.connections.add(connection)
        self.exchange.metrics.streams.labels("true").set(len(self.connections))
        sender = asyncio.create_task(connection.run())
        connection.send(
            encode(
                {
                    "channel": "status",
                    "type": "update",
                    "data": [
                        {
                            "version": "2.0.10",
                            "system": self._rest.public.system_status(),
                            "api_version": "v2",
                            "connection_id": self._count,
                        }
                    ],
                }
            ),
            "status",
        )
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                await self._on_text(connection, message.data)
        finally:
            self.connections.discard(connection)
            self.feeds.forget(connection)
            self.exchange.metrics.streams.labels("true").set(len(self.connections))
            connection.close()
            await sender
        return socket

    async def _on_text(self, connection: Connection, text: str) -> None:
        started, time_in = time.perf_counter(), self.exchange.clock.now()
        method, request_id, replies = "", None, []
        seen = self.exchange.seen("kraken", "ws", "", connection.source, connection.agent)
        try:
            message = _parse(text)
            method, request_id = str(message.get("method", ""))[:40], message.get("req_id")
            seen.endpoint = method
            if request_id is not None and (isinstance(request_id, bool) or not isinstance(request_id, int)):
                raise KrakenError("EGeneral:Invalid arguments:req_id")
            params = message.get("params") or {}
            if not isinstance(params, dict):
                raise KrakenError("Malformed request")
            seen.note(params)
            replies = await self._dispatch(connection, seen, method, params)
        except KrakenError as error:
            seen.error = error.text
            if not seen.verdicts:
                seen.bad("protocol", error.text)
            replies = [{"error": error.text, "success": False}]
        except Exception as error:  # noqa: BLE001  a fault of ours must not take the stream with it
            self.exchange.fault("ws %s" % method, error)
            seen.error = "EGeneral:Internal error"
            replies = [{"error": seen.error, "success": False}]
        await self.exchange.durable()
        for reply in replies:
            snapshots = reply.pop("_after", [])
            name = {"ping": "pong"}.get(method, method)
            head: dict[str, Any] = {"method": name, **({} if request_id is None else {"req_id": request_id})}
            connection.send(encode({**head, **reply, "time_in": stamp(time_in), "time_out": stamp(self.exchange.clock.now())}), "reply")
            for snapshot, kind in snapshots:
                connection.send(snapshot, kind)
        seen.status = "ws"
        seen.latency_ms = (time.perf_counter() - started) * 1000
        if method != "ping":
            self.exchange.recorder.add(seen)

    async def _dispatch(self, connection: Connection, seen: Seen, method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        if method == "ping":
            return [{}]
        if method in ("subscribe", "unsubscribe"):
            return self._subscriptions(connection, seen, method, params)
        if method in METHODS:
            return self._trade(connection, seen, method, params)
        seen.unknown("protocol", "no such method here: %s" % method)
        raise KrakenError("Unsupported method %s" % method)

    # -- subscriptions -------------------------------------------------------------------------------------------------

    def _subscriptions(self, connection: Connection, seen: Seen, method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        channel = str(params.get("channel", ""))
        seen.endpoint = "%s %s" % (method, channel[:20])
        if channel in PRIVATE:
            return [self._private(connection, seen, method, channel, params)]
        if channel not in PUBLIC:
            raise KrakenError("Subscription name invalid")
        if channel == "instrument":
            seen.ok("protocol")
            after = [(self.feeds.instruments(), "instrument")] if method == "subscribe" and params.get("snapshot", True) else []
            return [{"result": {"channel": channel, "snapshot": True}, "success": True, "_after": after}]
        symbols = params.get("symbol")
        if not isinstance(symbols, list) or not symbols or len(symbols) > 200:
            raise KrakenError("Pair field must be an array")
        extra = self._extra(channel, params)
        return [self._one(connection, seen, method, channel, str(symbol), extra, bool(params.get("snapshot", True))) for symbol in symbols]

    @staticmethod
    def _extra(channel: str, params: dict[str, Any]) -> int:
        if channel == "book":
            depth = params.get("depth", 10)
            if depth not in DEPTHS:
                raise KrakenError("Subscription depth not supported")
            return int(depth)
        if channel == "ohlc":
            interval = params.get("interval", 1)
            if interval not in INTERVALS:
                raise KrakenError("Subscription ohlc interval not supported")
            return int(interval)
        return 0

    def _one(
        self, connection: Connection, seen: Seen, method: str, channel: str, symbol: str, extra: int, snapshot: bool
    ) -> dict[str, Any]:
        pair = find_pair(symbol[:32])
        if pair is None or pair.instrument.symbol != symbol or pair not in self._rest.public.configured():
            seen.bad("protocol", "unknown symbol")
            return {"error": "Currency pair not supported %s" % symbol[:32], "success": False, "symbol": symbol[:32]}
        topic: Topic = (channel, symbol, extra)
        result: dict[str, Any] = {"channel": channel, "symbol": symbol}
        result.update({"depth": extra} if channel == "book" else {"interval": extra} if channel == "ohlc" else {})
        if method == "unsubscribe":
            if not self.feeds.unsubscribe(topic, connection):
                seen.bad("protocol", "not subscribed")
                return {"error": "Subscription Not Found", "success": False, "symbol": symbol}
            seen.ok("protocol")
            return {"result": result, "success": True}
        if connection in self.feeds.topics.get(topic, ()):
            seen.bad("protocol", "already subscribed")
            return {"error": "Already subscribed", "success": False, "symbol": symbol}
        seen.ok("protocol")
        messages = self.feeds.subscribe(topic, connection)
        connection.subscribed = True
        self.exchange.judge.delivered(connection.source, symbol, self.exchange.markets.by_symbol[symbol].as_of)
        return {
            "result": {**result, "snapshot": snapshot},
            "success": True,
            "_after": [(text, channel) for text in messages] if snapshot else [],
        }

    def _private(self, connection: Connection, seen: Seen, method: str, channel: str, params: dict[str, Any]) -> dict[str, Any]:
        key, account = self._token(connection, seen, params)
        right = "query-open-trades" if channel == "executions" else "query-funds"
        if right not in key.rights:
            seen.bad("key_right", "%s needs %s" % (channel, right))
            raise KrakenError("EAccount:Invalid permissions")
        seen.ok("key_right")
        seen.ok("protocol")
        if method == "unsubscribe":
            connection.private.discard(channel)
            return {"result": {"channel": channel}, "success": True}
        connection.private.add(channel)
        connection.subscribed = True
        rows = self._snapshot(account, channel, params)
        self.exchange.judge.asked(account.name)
        return {
            "result": {"channel": channel, "snapshot": True},
            "success": True,
            "_after": [(connection.sequenced(channel, "snapshot", rows), channel)],
        }

    def _snapshot(self, account: Account, channel: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        if channel == "balances":
            return balances(account)
        engine = self.exchange.engine
        rows = []
        if params.get("snap_orders", True):
            rows = [full(order, "new", order.created) for order in engine.open_by_account[account.name].values()]
        if params.get("snap_trades", False):
            rows += [
                trade(fill, engine.orders[fill.order_id]) for fill in account.fills[-SNAPSHOT_FILLS:] if fill.order_id in engine.orders
            ]
        return rows

    def _token(self, connection: Connection, seen: Seen, params: dict[str, Any]) -> tuple[Key, Account]:
        """Return key and account of a token. A token must be used within its life, then it holds as long as the connection."""
        token = str(params.get("token", ""))
        row = self._rest.private.tokens.get(token)
        key = self.exchange.keys.by_id.get(row[1]) if row is not None else None
        if row is None or key is None or key.revoked or (row[2] < seen.at and connection.token != token):
            seen.bad("key_known", "the token is not known or not valid any more")
            raise KrakenError("ESession:Invalid session")
        connection.token, connection.account = token, row[0]
        account = self.exchange.engine.accounts[row[0]]
        seen.account, seen.key = account.name, hashed(key.id)
        if self.exchange.cruelty("key_revoked", account.name) is not None:
            raise KrakenError("ESession:Invalid session")
        seen.ok("key_known")
        if not key.allows(seen.source):
            seen.bad("ip", "address not on the key's allow-list")
            raise KrakenError("EAccount:Invalid permissions")
        seen.ok("ip")
        return key, account

    # -- trading -------------------------------------------------------------------------------------------------------

    def _trade(self, connection: Connection, seen: Seen, method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        key, account = self._token(connection, seen, params)
        self.exchange.judge.writer(seen, account, key.id + " ws")
        endpoint = METHODS[method]
        if not any(right in key.rights for right in RIGHTS[endpoint]):
            seen.bad("key_right", "%s needs %s" % (method, " or ".join(RIGHTS[endpoint])))
            raise KrakenError("EAccount:Invalid permissions")
        seen.ok("key_right")
        seen.ok("rate_budget")
        if self._rest.public.system_status() == "maintenance":
            raise KrakenError("EService:Unavailable")
        return self._call(seen, account, method, params)

    def _call(self, seen: Seen, account: Account, method: str, params: dict[str, Any]) -> list[dict[str, Any]]:
        trading = self._rest.trading
        if method == "add_order":
            form = trading.form(seen, account, to_form(params))
            result = trading.add(seen, account, form)
            names = {"cl_ord_id": form.order.client_id, "order_userref": form.order.user_ref}
            row = {"order_id": result["txid"][0]} if "txid" in result else {}
            return [{"result": {**row, **{name: value for name, value in names.items() if value is not None}}, "success": True}]
        if method == "batch_add":
            rows = params.get("orders")
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise KrakenError("EGeneral:Invalid arguments:orders")
            merged = {
                "pair": params.get("symbol"),
                "validate": params.get("validate", ""),
                "deadline": params.get("deadline", ""),
                "orders": [to_form(row) for row in rows],
            }
            orders = trading.batch(seen, account, merged)["orders"]
            return [
                {
                    "result": [{"order_id": row["txid"]} if "txid" in row else row for row in orders],
                    "success": all("error" not in row for row in orders),
                }
            ]
        if method in ("amend_order", "edit_order"):
            return [self._change(seen, account, method, params)]
        if method == "cancel_all":
            return [{"result": trading.every(seen, account), "success": True}]
        if method == "cancel_all_orders_after":
            return [{"result": trading.after(seen, account, params), "success": True}]
        return self._cancel(seen, account, params.get("orders", []) if method == "batch_cancel" else params)

    def _change(self, seen: Seen, account: Account, method: str, params: dict[str, Any]) -> dict[str, Any]:
        trading = self._rest.trading
        order_id = str(params.get("order_id", ""))
        if method == "amend_order":
            changed = trading.amend(seen, account, {**params, "txid": order_id})
            return {
                "result": {**changed, **({"order_id": order_id} if order_id else {"cl_ord_id": str(params.get("cl_ord_id"))})},
                "success": True,
            }
        edited = trading.edit(
            seen,
            account,
            {
                "txid": order_id,
                "volume": params.get("order_qty"),
                "price": params.get("limit_price"),
                "userref": params.get("order_userref"),
                "deadline": params.get("deadline", ""),
            },
        )
        return {"result": {"order_id": edited["txid"], "original_order_id": order_id}, "success": True}

    def _cancel(self, seen: Seen, account: Account, params: Any) -> list[dict[str, Any]]:
        source = params if isinstance(params, dict) else {"order_id": params}
        if not all(isinstance(source.get(name) or [], list) for name in ("order_id", "cl_ord_id", "order_userref")):
            seen.bad("protocol", "ids are lists")
            raise KrakenError("EGeneral:Invalid arguments:order_id")
        wanted = [(name, item) for name in ("order_id", "cl_ord_id", "order_userref") for item in (source.get(name) or [])]
        if not 1 <= len(wanted) <= 50:
            seen.bad("protocol", "a cancel names 1 to 50 orders")
            raise KrakenError("EGeneral:Invalid arguments:order_id")
        out = []
        for name, item in wanted:
            try:
                asked = {"cl_ord_id": str(item)} if name == "cl_ord_id" else {"txid": str(item)}
                self._rest.trading.cancel(seen, account, asked)
                out.append({"result": {name: item}, "success": True})
            except KrakenError as error:
                seen.error = error.text
                out.append({"error": error.text, "success": False, name: item})
        return out

    # -- what happens --------------------------------------------------------------------------------------------------

    def _on_facts(self, facts: list[Fact]) -> None:
        if not self.connections:
            return
        rows = self._tracker.rows(facts)
        bookings: dict[str, list[dict[str, Any]]] = {}
        for fact in facts:
            if fact["t"] == "ledger":
                entry = self.exchange.engine.accounts[fact["account"]].ledger[-1]
                bookings.setdefault(fact["account"], []).append(booking(entry) if entry.id == fact["id"] else _booking_of(fact))
        for connection in self.connections:
            for channel, source in (("executions", rows), ("balances", bookings)):
                if channel in connection.private and connection.account in source:
                    connection.private_rows(channel, source[connection.account])

    def _beat(self) -> None:
        now = self.exchange.clock.real()
        for connection in list(self.connections):
            connection.beat(now)


def _booking_of(fact: Fact) -> dict[str, Any]:
    return booking(
        LedgerEntry(
            fact["id"],
            fact["ref"],
            fact["at"],
            fact["kind"],
            fact["asset"],
            Decimal(fact["amount"]),
            Decimal(fact["fee"]),
            Decimal(fact["balance"]),
        )
    )


def _parse(text: str) -> dict[str, Any]:
    try:
        message = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise KrakenError("Malformed request") from None
    if not isinstance(message, dict):
        raise KrakenError("Malformed request")
    return message
