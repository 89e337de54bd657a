"""Kraken's REST protocol over HTTP: paths, forms, envelope, the order of checks, and the cruelties that strike requests."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Optional

from aiohttp import web

from ...errors import SandboxError
from ...fastjson import dumps
from ...keys import Key, hashed
from ...seen import Seen
from ..form import pairs
from ..front import Answer, Front, json_answer
from ..strikes import Dropped, Strikes
from .auth import RIGHTS, Gate
from .errors import KrakenError
from .order_form import read
from .private import Private
from .public import Public
from .trading import Trading

if TYPE_CHECKING:
    from ...core import Exchange

LONGEST_BODY = 65_536
WITHDRAWALS = ("Withdraw", "WithdrawCancel", "WalletTransfer")


class Rest:
    """The venue's HTTP side."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.strikes = Strikes(exchange)
        self.gate, self.public, self.trading = Gate(exchange), Public(exchange), Trading(exchange)
        self.private = Private(exchange, self.trading)

    def add_routes(self, front: Front) -> None:
        front.below("0", self.handle)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whatever happens, it is recorded and judged."""
        started = time.perf_counter()
        parts = request.path.split("/")
        endpoint = "/".join(parts[3:])[:60] if len(parts) > 3 else ""
        seen = self.exchange.seen("kraken", "rest", endpoint, request.remote or "", request.headers.get("User-Agent", ""))
        try:
            response = await self._answer(request, seen, parts[2] if len(parts) > 2 else "", endpoint)
        except Dropped:
            seen.status = "dropped"
            if request.transport is not None:
                request.transport.close()
            raise web.HTTPBadRequest from None
        finally:
            seen.latency_ms = (time.perf_counter() - started) * 1000
            self.exchange.recorder.add(seen)
        return response

    async def _answer(self, request: web.BaseRequest, seen: Seen, kind: str, endpoint: str) -> web.StreamResponse:
        body = await request.content.read(LONGEST_BODY + 1)
        key = self.gate.known(seen, request.headers.get("API-Key", "")) if kind == "private" else None
        if key is not None:
            seen.account, seen.key = key.account, hashed(key.id)
        account = seen.account
        early = await self._strike_before(seen, endpoint)
        if early is not None:
            self._lost(seen, kind, endpoint, request, body, account)
            return early
        try:
            if len(body) > LONGEST_BODY:
                seen.bad("protocol", "body too large")
                raise KrakenError("EGeneral:Invalid arguments", 413)
            self._maintenance(kind, endpoint)
            if kind == "public" and endpoint in self.public.endpoints:
                result = self._public(request, seen, endpoint, body)
            elif kind == "private" and endpoint in self.private.endpoints:
                result = self._private(request, seen, endpoint, body, key)
                await self.exchange.durable()
            else:
                seen.unknown("protocol", "no such endpoint here: %s" % request.path[:80])
                raise KrakenError("EGeneral:Unknown method")
        except KrakenError as error:
            seen.error, status = error.text, error.status
        except SandboxError as error:
            # The disk refuses: nothing may be acknowledged.
            self.exchange.fault("rest %s" % endpoint, error)
            seen.error, seen.status = "EService:Unavailable", "503"
            return json_answer({"error": [seen.error]}, status=503)
        except Exception as error:  # noqa: BLE001  a fault of ours is answered in the venue's words, and counted
            self.exchange.fault("rest %s" % endpoint, error)
            seen.error, status = "EGeneral:Internal error", 200
        else:
            return await self._strike_after(seen, endpoint, account, {"error": [], "result": result}, 200, request)
        await self.exchange.durable()
        return await self._strike_after(seen, endpoint, account, {"error": [seen.error]}, status, request)

    # -- the two halves ------------------------------------------------------------------------------------------------

    def _public(self, request: web.BaseRequest, seen: Seen, endpoint: str, body: bytes) -> Any:
        if request.method not in ("GET", "POST"):
            seen.bad("protocol", "method %s" % request.method)
            raise KrakenError("EGeneral:Invalid arguments", 405)
        params: dict[str, Any] = dict(request.query)
        if request.method == "POST" and body:
            params.update(self._params(seen, request.content_type, body))
        seen.note(params)
        if not self.exchange.public_counter(seen.source).take(1.0, seen.at):
            seen.bad("rate_budget", "the address's public counter exceeds its limit")
            raise KrakenError("EGeneral:Too many requests")
        seen.ok("rate_budget")
        result = self.public.endpoints[endpoint](seen, params)
        seen.ok("protocol")
        return result

    def _private(self, request: web.BaseRequest, seen: Seen, endpoint: str, body: bytes, key: Optional[Key]) -> Any:
        if endpoint in WITHDRAWALS:
            seen.bad("withdrawal", "%s was called" % endpoint)
        if request.method != "POST":
            seen.bad("protocol", "private calls are POST, not %s" % request.method)
            raise KrakenError("EAPI:Invalid nonce", 200)
        params = self._params(seen, request.content_type, body)
        seen.note(params)
        key, account = self.gate.check(seen, key, request.path, str(params.get("nonce", "")), body, request.headers.get("API-Sign", ""))
        self.gate.allow(seen, key, account, endpoint)
        self._balance_fails(endpoint, account.name)
        result = self.private.endpoints[endpoint](seen, key, account, params)
        seen.ok("protocol")
        return result

    def _params(self, seen: Seen, content_type: str, body: bytes) -> dict[str, Any]:
        try:
            text = body.decode("utf-8")
            if content_type == "application/json":
                params = json.loads(text)
                if not isinstance(params, dict):
                    raise ValueError("not an object")
                return params
            return dict(pairs(text, strict=True))
        except (ValueError, RecursionError):
            seen.bad("protocol", "the body is neither a form nor a JSON object")
            raise KrakenError("EGeneral:Invalid arguments") from None

    # -- cruelties -----------------------------------------------------------------------------------------------------

    async def _strike_before(self, seen: Seen, endpoint: str) -> Optional[Answer]:
        if not self.exchange.cruelties.active:
            return None
        early = await self.strikes.before(seen, (endpoint,))
        if early is not None:
            return early
        if (item := self.strikes.first("rate_limit", seen, (endpoint,))) is not None:
            seen.status = str(item.params["status"])
            seen.error = "EAPI:Rate limit exceeded"
            return json_answer(
                {"error": ["EAPI:Rate limit exceeded"]},
                status=int(item.params["status"]),
                headers={"Retry-After": str(int(item.params["retry_after_s"]))},
            )
        return None

    def _lost(self, seen: Seen, kind: str, endpoint: str, request: web.BaseRequest, body: bytes, account: Optional[str]) -> None:
        """An order request that was never looked at is in the dark for the client all the same."""
        if kind != "private" or account is None or seen.error:
            return
        try:
            params = self._params(seen, request.content_type, body)
        except KrakenError:
            return
        seen.note(params)
        # Judged as far as it can be: what it was and when, but not what the venue did not look at.
        seen.ok("protocol")
        if endpoint == "AddOrder":
            self._remember_lost(seen, account, params)

    def _remember_lost(self, seen: Seen, account: str, params: dict[str, Any]) -> None:
        try:
            form = read(params, account, "", self.exchange.engine.last_price, seen.at)
        except KrakenError:
            return
        owner = self.exchange.engine.accounts.get(account)
        if owner is not None and not seen.intent:
            self.exchange.judge.order(seen, owner, form.intent)
        self.exchange.judge.unacknowledged(account, form.intent, seen.at)

    async def _strike_after(
        self, seen: Seen, endpoint: str, account: Optional[str], answer: dict[str, Any], status: int, request: web.BaseRequest
    ) -> Answer:
        seen.status = str(status)
        body = dumps(answer)
        if self.exchange.cruelties.active:
            if self.strikes.first("drop_ack_after_execution", seen, (endpoint,)) is not None:
                if endpoint == "AddOrder" and account is not None:
                    self._remember_lost(seen, account, dict(seen.params))
                raise Dropped
            if self.strikes.first("half_json", seen, (endpoint,)) is not None:
                body = body[: len(body) // 2]
                if endpoint == "AddOrder" and account is not None:
                    self._remember_lost(seen, account, dict(seen.params))
        return Answer(body, status)

    def _maintenance(self, kind: str, endpoint: str) -> None:
        if kind == "private" and self.public.system_status() == "maintenance" and endpoint in RIGHTS:
            raise KrakenError("EService:Unavailable")

    def _balance_fails(self, endpoint: str, account: str) -> None:
        for cruelty in self.exchange.cruelties_of("balance_source_failure", account):
            if endpoint in str(cruelty.params["endpoints"]).split(","):
                cruelty.fired += 1
                raise KrakenError(str(cruelty.params["error"]))
