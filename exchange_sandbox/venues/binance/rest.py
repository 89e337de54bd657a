"""Binance's REST protocol over HTTP: parameters, the order of checks, errors, limits in headers, and the cruelties that strike requests."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Optional

from aiohttp import web

from ...errors import SandboxError
from ...fastjson import dumps
from ...keys import Key, hashed
from ...seen import Seen
from ..form import pairs
from ..front import Answer, Asked, Front, Send, body, head, json_answer, packed
from ..strikes import Dropped, Strikes
from .call import NONE, Call, Endpoint
from .errors import BinanceError
from .gate import Gate
from .instruments import SPOT, USDM
from .limits import Limits
from .market_data import MarketData
from .sign import split
from .spot_account import SpotAccount
from .spot_orders import SpotOrders
from .spot_public import SpotPublic
from .um_account import UmAccount
from .um_algo import UmAlgo
from .um_orders import UmOrders
from .um_public import UmPublic
from .user_stream import ListenKeys
from .wallet import Wallet

if TYPE_CHECKING:
    from ...core import Exchange

LONGEST_BODY = 65_536
#: path prefix -> (market, kind of weight counter, header of the weight, family of order counters)
FAMILIES = {
    "api": (SPOT, "spot", "X-MBX-USED-WEIGHT-1M", "spot"),
    "sapi": (SPOT, "sapi", "X-SAPI-USED-IP-WEIGHT-1M", "spot"),
    "fapi": (USDM, "usdm", "X-MBX-USED-WEIGHT-1M", "usdm"),
    "dapi": (USDM, "usdm", "X-MBX-USED-WEIGHT-1M", "usdm"),
}
WITHDRAWALS = ("/sapi/v1/capital/withdraw/apply", "/sapi/v1/localentity/withdraw/apply")


class _Work:
    """What is known of a request before it is looked at."""

    __slots__ = ("endpoint", "family", "headers", "key", "key_id", "path", "seen")

    def __init__(
        self,
        seen: Seen,
        key: Optional[Key],
        key_id: str,
        endpoint: Optional[Endpoint],
        family: tuple[str, str, str, str],
        path: str,
        headers: dict[str, str],
    ) -> None:
        self.seen, self.key, self.key_id, self.endpoint = seen, key, key_id, endpoint
        self.family, self.path = family, path
        #: headers of the answer: limits
        self.headers = headers

    @property
    def names(self) -> tuple[str, ...]:
        """All names by which a cruelty may mean the endpoint."""
        return self.seen.endpoint, self.path, self.endpoint.alias if self.endpoint is not None else ""


class Rest:
    """The venue's HTTP side, spot and USD-M futures."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        spot, usdm, sapi = exchange.config.binance_weights
        self.gate, self.limits, self.strikes = Gate(exchange), Limits({"spot": spot, "usdm": usdm, "sapi": sapi}), Strikes(exchange)
        self.listen_keys = ListenKeys(exchange)
        self.endpoints: dict[tuple[str, str], Endpoint] = {}
        data = MarketData(exchange, self.gate, self.limits)
        self.spot_orders, self.um_orders, self.um_algo = SpotOrders(exchange), UmOrders(exchange), UmAlgo(exchange)
        if SPOT in exchange.config.venues:
            parts: list[Any] = [SpotPublic(data), self.spot_orders, SpotAccount(exchange), Wallet(exchange), self.listen_keys.spot()]
            for part in parts:
                self.endpoints.update(part.endpoints())
        if USDM in exchange.config.venues:
            for part in (UmPublic(data), self.um_orders, self.um_algo, UmAccount(exchange), Wallet(exchange), self.listen_keys.usdm()):
                self.endpoints.update(part.endpoints())
        self.paths = {path for _, path in self.endpoints}

    def add_routes(self, front: Front) -> None:
        for family in FAMILIES:
            front.below(family, self.handle, self.quick)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whatever happens, it is recorded and judged."""
        started = time.perf_counter()
        exchange, asked = self.exchange, head(request)
        work = self._begin(asked)
        seen, endpoint = work.seen, work.endpoint
        try:
            asked.body = await body(request, LONGEST_BODY)
            if exchange.cruelties.active:
                early = await self._strike_before(work, asked)
                if early is not None:
                    return early
            answer, status = self._carry_out(work, asked)
            if endpoint is None or endpoint.security != NONE:
                try:
                    await exchange.durable()
                except SandboxError as error:
                    return Answer(self._refused(seen, error), 503)
            return Answer(self._strike_after(work, answer, status), status, headers=work.headers)
        except Dropped:
            seen.status = "dropped"
            if request.transport is not None:
                request.transport.close()
            raise web.HTTPBadRequest from None
        finally:
            seen.latency_ms = (time.perf_counter() - started) * 1000
            exchange.recorder.add(seen)

    def quick(self, asked: Asked, send: Send) -> bool:
        """Answer a request with a key as soon as it is on disk. False where it may have to wait for something else: a cruelty."""
        exchange = self.exchange
        if exchange.cruelties.active:
            return False
        endpoint = self.endpoints.get((asked.method, asked.path))
        if endpoint is None or endpoint.security == NONE:
            return False
        started = time.perf_counter()
        work = self._begin(asked)
        seen = work.seen
        answer, status = self._carry_out(work, asked)

        def finish(failure: Optional[SandboxError]) -> None:
            out: Optional[bytes] = None
            try:
                if failure is None:
                    out = packed(self._strike_after(work, answer, status), status, headers=work.headers)
                else:
                    out = packed(self._refused(seen, failure), 503)
            except Dropped:
                seen.status = "dropped"
            seen.latency_ms = (time.perf_counter() - started) * 1000
            exchange.recorder.add(seen)
            send(out)

        exchange.when_durable(finish)
        return True

    def _begin(self, asked: Asked) -> _Work:
        """Begin the record of a request."""
        method, path = asked.method, asked.path
        seen = self.exchange.seen("binance", "rest", method + " " + path[:60], asked.source, asked.headers.get("user-agent", ""))
        key_id = asked.headers.get("x-mbx-apikey", "")
        key = self.gate.known(key_id) if key_id else None
        if key is not None:
            seen.account, seen.key = key.account, hashed(key.id)
        return _Work(seen, key, key_id, self.endpoints.get((method, path)), FAMILIES[path.split("/", 2)[1]], path, {})

    def _carry_out(self, work: _Work, asked: Asked) -> tuple[Any, int]:
        """Return the answer and its status; nothing of it may leave before the state is on disk."""
        seen = work.seen
        try:
            if len(asked.body) > LONGEST_BODY:
                seen.bad("protocol", "body too large")
                raise BinanceError(-1101, "Too many parameters; expected 0 and received many.", 413)
            return self._call(work, asked), 200
        except BinanceError as error:
            seen.error = "%d %s" % (error.code, error.text)
            if error.retry_after is not None:
                work.headers["Retry-After"] = str(error.retry_after)
            return error.body(), error.status
        except Exception as error:  # noqa: BLE001  a fault of ours is answered in the venue's words, and counted
            self.exchange.fault("rest %s" % seen.endpoint, error)
            seen.error = "-1000 An unknown error occurred while processing the request."
            return {"code": -1000, "msg": "An unknown error occurred while processing the request."}, 400

    def _refused(self, seen: Seen, error: SandboxError) -> bytes:
        """The disk refuses: nothing may be acknowledged."""
        self.exchange.fault("rest %s" % seen.endpoint, error)
        seen.error, seen.status = "disk", "503"
        return dumps({"code": -1001, "msg": "Internal error; unable to process your request. Please try again."})

    def _call(self, work: _Work, asked: Asked) -> Any:
        seen, endpoint = work.seen, work.endpoint
        self.limits.check_ban(seen.source, seen.at)
        text, params = self._params(seen, asked)
        payload, signature = split(asked.query, text) if endpoint is not None and endpoint.security != NONE else ("", "")
        return self.carry_out(seen, work.key, work.key_id, endpoint, work.path, work.family, params, payload, signature, work.headers)

    def carry_out(
        self,
        seen: Seen,
        key: Optional[Key],
        key_id: str,
        endpoint: Optional[Endpoint],
        path: str,
        family: tuple[str, str, str, str],
        params: dict[str, str],
        payload: str,
        signature: str,
        headers: dict[str, str],
    ) -> Any:
        """Check and answer a request that was read, whichever way it came. Fills the limits into `headers`. Raises BinanceError."""
        exchange, now = self.exchange, seen.at
        self.limits.check_ban(seen.source, now)
        owner = exchange.engine.accounts.get(key.account) if key is not None else None
        free = owner is not None and owner.tier == "unlimited"
        weight = endpoint.weight if endpoint is not None else 1
        if endpoint is not None and endpoint.weight < 0:
            weight = -endpoint.weight if params.get("symbol") else 40
        try:
            used = self.limits.weigh(family[1], seen.source, weight, now, not free)
        except BinanceError:
            seen.bad("rate_budget", "the address's weight of this minute exceeds its limit")
            raise
        headers[family[2]] = str(used)
        if endpoint is None:
            if path in self.paths:
                seen.bad("protocol", "method not allowed here")
                raise BinanceError(-1000, "Method not allowed", 405)
            seen.unknown("protocol", "no such endpoint here: %s" % path[:80])
            raise BinanceError(-5000, "Path %s, Method %s is invalid" % (path[:80], seen.endpoint.split(" ")[0]), 404)
        seen.note(params)
        if path in WITHDRAWALS:
            seen.bad("withdrawal", "%s was called" % path)
        call = Call(exchange, seen, family[0], params)
        if endpoint.security != NONE:
            call.key, call.owner = self.gate.check(seen, key, key_id, endpoint, params, payload, signature)
            self._maintenance(call, endpoint)
            if endpoint.order:
                try:
                    self.limits.count_order(family[3], call.account.name, 1, now, not free)
                except BinanceError:
                    seen.bad("rate_budget", "too many orders of the account")
                    raise
                headers.update(self.limits.order_headers(family[3], call.account.name, now))
            if endpoint.tells_orders:
                exchange.judge.asked(call.account.name)
            self._balance_fails(call, endpoint)
        seen.ok("rate_budget")
        result = endpoint.handler(call)
        seen.ok("protocol")
        return result

    @staticmethod
    def _params(seen: Seen, asked: Asked) -> tuple[str, dict[str, str]]:
        """Return the body as text, and the parameters of query and body."""
        try:
            text = asked.body.decode("utf-8")
            found = pairs(asked.query, strict=False) + pairs(text, strict=True)
        except ValueError:
            seen.bad("protocol", "query or body is no form")
            raise BinanceError(-1100, "Illegal characters found in a parameter.") from None
        params = dict(found)
        if len(params) < len(found):
            seen.bad("protocol", "a parameter was sent twice")
            raise BinanceError(-1101, "Duplicate values for a parameter detected.")
        return text, params

    # -- cruelties -----------------------------------------------------------------------------------------------------

    async def _strike_before(self, work: _Work, asked: Asked) -> Optional[Answer]:
        seen, endpoint = work.seen, work.endpoint
        early = await self.strikes.before(seen, work.names)
        if early is None and (item := self.strikes.first("rate_limit", seen, work.names)) is not None:
            status = int(item.params["status"]) if int(item.params["status"]) >= 400 else 429
            seen.status, seen.error = str(status), "-1003"
            return json_answer(
                {"code": -1003, "msg": "Too many requests; please use the websocket for live updates."},
                status=status,
                headers={"Retry-After": str(int(item.params["retry_after_s"]))},
            )
        if early is not None and endpoint is not None and endpoint.security != NONE and seen.account is not None:
            self._lost(work, endpoint, asked)
        return early

    def _lost(self, work: _Work, endpoint: Endpoint, asked: Asked) -> None:
        """An order request that was never looked at is in the dark for the client all the same."""
        seen = work.seen
        try:
            _, params = self._params(seen, asked)
        except BinanceError:
            return
        seen.note(params)
        seen.ok("protocol")
        self._remember_lost(seen, endpoint, work.family[0], params)

    def _remember_lost(self, seen: Seen, endpoint: Endpoint, market: str, params: dict[str, str]) -> None:
        if endpoint.alias != "AddOrder" or seen.account is None:
            return
        owner = self.exchange.engine.accounts.get(seen.account)
        if owner is None:
            return
        call = Call(self.exchange, seen, market, params, None, owner)
        orders: Any = self.um_algo if "algo" in seen.endpoint else self.um_orders if market == USDM else self.spot_orders
        try:
            intent = orders.read(call).intent
        except BinanceError:
            return
        if not seen.intent:
            self.exchange.judge.order(seen, owner, intent)
        self.exchange.judge.unacknowledged(owner.name, intent, seen.at)

    def _strike_after(self, work: _Work, answer: Any, status: int) -> bytes:
        """Return the answer's body, as far as cruelties leave it whole. Raises Dropped."""
        seen, endpoint = work.seen, work.endpoint
        seen.status = str(status)
        out = dumps(answer)
        if self.exchange.cruelties.active:
            if self.strikes.first("drop_ack_after_execution", seen, work.names) is not None:
                if endpoint is not None:
                    self._remember_lost(seen, endpoint, work.family[0], dict(seen.params))
                raise Dropped
            if self.strikes.first("half_json", seen, work.names) is not None:
                out = out[: len(out) // 2]
                if endpoint is not None:
                    self._remember_lost(seen, endpoint, work.family[0], dict(seen.params))
        return out

    def _maintenance(self, call: Call, endpoint: Endpoint) -> None:
        if self.exchange.cruelty("maintenance", call.account.name) is not None and endpoint.rights:
            raise BinanceError(-1001, "System maintenance, please try again later.", 503)

    def _balance_fails(self, call: Call, endpoint: Endpoint) -> None:
        if endpoint.alias != "Balance":
            return
        for item in self.exchange.cruelties_of("balance_source_failure", call.account.name, ""):
            if {"Balance", call.seen.endpoint}.intersection(str(item.params["endpoints"]).split(",")):
                item.fired += 1
                raise BinanceError(-1001, "Internal error; unable to process your request. Please try again.", 503)
