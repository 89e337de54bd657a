"""Binance's WebSocket API (`/ws-api/v3`, `/ws-fapi/v1`): the REST endpoints as messages, and the user data subscription of spot."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ...errors import SandboxError
from ...keys import hashed
from ...seen import Seen
from .call import NONE, SIGNED, Endpoint
from .errors import BinanceError
from .feeds import text_of
from .gate import READ
from .instruments import SPOT

if TYPE_CHECKING:
    from ...core import Exchange
    from .rest import Rest
    from .sockets import Socket

#: method -> (HTTP method, path) of the endpoint that answers
SPOT_METHODS = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "orderList.place.oco": ("POST", "/api/v3/orderList/oco"),
    "orderList.cancel": ("DELETE", "/api/v3/orderList"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
}
USDM_METHODS = {
    "ping": ("GET", "/fapi/v1/ping"),
    "time": ("GET", "/fapi/v1/time"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
}
SUBSCRIBE, UNSUBSCRIBE = "userDataStream.subscribe.signature", "userDataStream.unsubscribe"


def _text(value: Any) -> str:
    """Return a parameter as it is signed: numbers as written, booleans in small letters."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


class WsApi:
    """Answers the messages of a WebSocket API connection."""

    def __init__(self, exchange: Exchange, rest: Rest) -> None:
        self._exchange, self._rest = exchange, rest

    async def on_text(self, connection: Socket, text: str) -> None:
        """Answer one message; it is judged like a REST request."""
        started = time.perf_counter()
        exchange = self._exchange
        seen = exchange.seen("binance", "ws", "", connection.source, connection.agent)
        number: Any = None
        reply: dict[str, Any]
        try:
            message = json.loads(text, parse_float=lambda raw: raw)
            if not isinstance(message, dict):
                raise ValueError
            number = message.get("id")
            if not (number is None or (isinstance(number, (int, str)) and not isinstance(number, bool))):
                number = None
                raise BinanceError(-1135, "Malformed JSON: 'id' must be an integer, a string or null.")
            result = self._answer(connection, seen, message)
            await exchange.durable()
            reply = {"id": number, "status": 200, "result": result}
            seen.ok("protocol")
        except (ValueError, RecursionError):
            seen.bad("protocol", "no JSON object")
            reply = {"id": None, "status": 400, "error": {"code": -1135, "msg": "Malformed JSON."}}
        except BinanceError as error:
            if not seen.verdicts:
                seen.bad("protocol", error.text)
            seen.error = "%d %s" % (error.code, error.text)
            reply = {"id": number, "status": error.status, "error": error.body()}
        except SandboxError as error:
            exchange.fault("ws-api", error)
            reply = {"id": number, "status": 503, "error": {"code": -1001, "msg": "Internal error; unable to process your request."}}
        except Exception as error:  # noqa: BLE001  a fault of ours must not take the stream with it
            exchange.fault("ws-api %s" % seen.endpoint, error)
            reply = {
                "id": number,
                "status": 400,
                "error": {"code": -1000, "msg": "An unknown error occurred while processing the request."},
            }
        connection.send(text_of(reply), "reply")
        seen.status = "ws"
        seen.latency_ms = (time.perf_counter() - started) * 1000
        exchange.recorder.add(seen)

    def _answer(self, connection: Socket, seen: Seen, message: dict[str, Any]) -> Any:
        spot = connection.market == SPOT
        methods = SPOT_METHODS if spot else USDM_METHODS
        method, raw = str(message.get("method", ""))[:60], message.get("params") or {}
        seen.endpoint = method
        if not isinstance(raw, dict):
            raise BinanceError(-1135, "Malformed JSON: 'params' must be an object.")
        params = {str(name): _text(value) for name, value in raw.items() if value is not None}
        if spot and method == UNSUBSCRIBE:
            connection.subscriptions.clear()
            connection.users.clear()
            return {}
        if spot and method == SUBSCRIBE:
            return self._subscribe(connection, seen, params)
        known = self._rest.endpoints.get(methods[method]) if method in methods else None
        if known is None:
            seen.unknown("protocol", "no such method here: %s" % method)
            raise BinanceError(-1000, "Unknown method '%s'." % method, 400)
        payload, signature, key_id = self._signed(params)
        family = ("binance", "spot", "", "spot") if spot else ("binance_usdm", "usdm", "", "usdm")
        path = methods[method][1]
        key = self._rest.gate.known(key_id) if known.security != NONE else None
        if key is not None:
            seen.account, seen.key = key.account, hashed(key.id)
            connection.account = key.account
        return self._rest.carry_out(seen, key, key_id, known, path, family, params, payload, signature, {})

    @staticmethod
    def _signed(params: dict[str, str]) -> tuple[str, str, str]:
        """Return what was signed (all parameters by name, without the signature), the signature and the key; both leave the parameters."""
        signature = params.pop("signature", "")
        payload = "&".join("%s=%s" % (name, params[name]) for name in sorted(params))
        return payload, signature, params.pop("apiKey", "")

    def _subscribe(self, connection: Socket, seen: Seen, params: dict[str, str]) -> Any:
        payload, signature, key_id = self._signed(params)
        key = self._rest.gate.known(key_id)
        if key is not None:
            seen.account, seen.key = key.account, hashed(key.id)
        endpoint = Endpoint(lambda call: None, SIGNED, (READ,))
        _, account = self._rest.gate.check(seen, key, key_id, endpoint, params, payload, signature)
        if account.name in connection.users:
            raise BinanceError(-2035, "User Data Stream subscription already active.")
        number = len(connection.subscriptions)
        connection.account = account.name
        connection.users[account.name], connection.subscriptions[number] = "", account.name
        return {"subscriptionId": number}
