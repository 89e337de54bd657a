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
from ..front import Answer, Asked, Front, Send, body, head, json_answer, packed
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
        front.below("0", self.handle, self.quick)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; whatever happens, it is recorded and judged."""
        started = time.perf_counter()
        asked = head(request)
        kind, endpoint = _named(asked.path)
        seen, key = self._begin(asked, kind, endpoint)
        try:
            asked.body = await body(request, LONGEST_BODY)
            early = await self._strike_before(seen, endpoint)
            if early is not None:
                self._lost(seen, kind, endpoint, asked)
                return early
            answer, status = self._carry_out(asked, seen, key, kind, endpoint)
            try:
                if kind == "private":
                    await self.exchange.durable()
            except SandboxError as error:
                return Answer(self._refused(seen, error), 503)
            return Answer(self._strike_after(seen, endpoint, answer, status), status)
        except Dropped:
            seen.status = "dropped"
            if request.transport is not None:
                request.transport.close()
            raise web.HTTPBadRequest from None
        finally:
            seen.latency_ms = (time.perf_counter() - started) * 1000
            self.exchange.recorder.add(seen)

    def quick(self, asked: Asked, send: Send) -> bool:
        """Answer a private request as soon as it is on disk. False where it may have to wait for something else: a cruelty."""
        exchange = self.exchange
        kind, endpoint = _named(asked.path)
        if kind != "private" or exchange.cruelties.active:
            return False
        started = time.perf_counter()
        seen, key = self._begin(asked, kind, endpoint)
        answer, status = self._carry_out(asked, seen, key, kind, endpoint)

        def finish(failure: Optional[SandboxError]) -> None:
            out: Optional[bytes] = None
            try:
                if failure is None:
                    out = packed(self._strike_after(seen, endpoint, answer, status), status)
                else:
                    out = packed(self._refused(seen, failure), 503)
            except Dropped:
                seen.status = "dropped"
            seen.latency_ms = (time.perf_counter() - started) * 1000
            exchange.recorder.add(seen)
            send(out)

        exchange.when_durable(finish)
        return True

    def _begin(self, asked: Asked, kind: str, endpoint: str) -> tuple[Seen, Optional[Key]]:
        """Begin the record of a request."""
        seen = self.exchange.seen("kraken", "rest", endpoint, asked.source, asked.headers.get("user-agent", ""))
        key = self.gate.known(seen, asked.headers.get("api-key", "")) if kind == "private" else None
        if key is not None:
            seen.account, seen.key = key.account, hashed(key.id)
        return seen, key

    def _carry_out(self, asked: Asked, seen: Seen, key: Optional[Key], kind: str, endpoint: str) -> tuple[dict[str, Any], int]:
        """Return the answer and its status; nothing of it may leave before the state is on disk."""
        try:
            if len(asked.body) > LONGEST_BODY:
                seen.bad("protocol", "body too large")
                raise KrakenError("EGeneral:Invalid arguments", 413)
            self._maintenance(kind, endpoint)
            if kind == "public" and endpoint in self.public.endpoints:
                return {"error": [], "result": self._public(asked, seen, endpoint)}, 200
            if kind == "private" and endpoint in self.private.endpoints:
                return {"error": [], "result": self._private(asked, seen, endpoint, key)}, 200
            seen.unknown("protocol", "no such endpoint here: %s" % asked.path[:80])
            raise KrakenError("EGeneral:Unknown method")
        except KrakenError as error:
            seen.error, status = error.text, error.status
        except Exception as error:  # noqa: BLE001  a fault of ours is answered in the venue's words, and counted
            self.exchange.fault("rest %s" % endpoint, error)
            seen.error, status = "EGeneral:Internal error", 200
        return {"error": [seen.error]}, status

    def _refused(self, seen: Seen, error: SandboxError) -> bytes:
        """The disk refuses: nothing may be acknowledged."""
        self.exchange.fault("rest %s" % seen.endpoint, error)
        seen.error, seen.status = "EService:Unavailable", "503"
        return dumps({"error": [seen.error]})

    # -- the two halves ------------------------------------------------------------------------------------------------

    def _public(self, asked: Asked, seen: Seen, endpoint: str) -> Any:
        if asked.method not in ("GET", "POST"):
            seen.bad("protocol", "method %s" % asked.method)
            raise KrakenError("EGeneral:Invalid arguments", 405)
        params = self._query(seen, asked.query)
        if asked.method == "POST" and asked.body:
            params.update(self._params(seen, asked))
        seen.note(params)
        if not self.exchange.public_counter(seen.source).take(1.0, seen.at):
            seen.bad("rate_budget", "the address's public counter exceeds its limit")
            raise KrakenError("EGeneral:Too many requests")
        seen.ok("rate_budget")
        result = self.public.endpoints[endpoint](seen, params)
        seen.ok("protocol")
        return result

    def _private(self, asked: Asked, seen: Seen, endpoint: str, key: Optional[Key]) -> Any:
        if endpoint in WITHDRAWALS:
            seen.bad("withdrawal", "%s was called" % endpoint)
        if asked.method != "POST":
            seen.bad("protocol", "private calls are POST, not %s" % asked.method)
            raise KrakenError("EAPI:Invalid nonce", 200)
        params = self._params(seen, asked)
        seen.note(params)
        sign = asked.headers.get("api-sign", "")
        key, account = self.gate.check(seen, key, asked.path, str(params.get("nonce", "")), asked.body, sign)
        self.gate.allow(seen, key, account, endpoint)
        self._balance_fails(endpoint, account.name)
        result = self.private.endpoints[endpoint](seen, key, account, params)
        seen.ok("protocol")
        return result

    @staticmethod
    def _query(seen: Seen, text: str) -> dict[str, Any]:
        try:
            return dict(pairs(text, strict=False))
        except ValueError:
            seen.bad("protocol", "the query has too many fields")
            raise KrakenError("EGeneral:Invalid arguments") from None

    @staticmethod
    def _params(seen: Seen, asked: Asked) -> dict[str, Any]:
        try:
            text = asked.body.decode("utf-8")
            if asked.is_json:
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

    def _lost(self, seen: Seen, kind: str, endpoint: str, asked: Asked) -> None:
        """An order request that was never looked at is in the dark for the client all the same."""
        account = seen.account
        if kind != "private" or account is None or seen.error:
            return
        try:
            params = self._params(seen, asked)
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

    def _strike_after(self, seen: Seen, endpoint: str, answer: dict[str, Any], status: int) -> bytes:
        """Return the answer's body, as far as cruelties leave it whole. Raises Dropped."""
        seen.status = str(status)
        out = dumps(answer)
        if self.exchange.cruelties.active:
            if self.strikes.first("drop_ack_after_execution", seen, (endpoint,)) is not None:
                if endpoint == "AddOrder" and seen.account is not None:
                    self._remember_lost(seen, seen.account, dict(seen.params))
                raise Dropped
            if self.strikes.first("half_json", seen, (endpoint,)) is not None:
                out = out[: len(out) // 2]
                if endpoint == "AddOrder" and seen.account is not None:
                    self._remember_lost(seen, seen.account, dict(seen.params))
        return out

    def _maintenance(self, kind: str, endpoint: str) -> None:
        # The system is in maintenance when all markets are: one that is not tells it.
        if kind != "private" or next(iter(self.exchange.markets.by_symbol.values())).status != "maintenance":
            return
        if self.public.system_status() == "maintenance" and endpoint in RIGHTS:
            raise KrakenError("EService:Unavailable")

    def _balance_fails(self, endpoint: str, account: str) -> None:
        for cruelty in self.exchange.cruelties_of("balance_source_failure", account):
            if endpoint in str(cruelty.params["endpoints"]).split(","):
                cruelty.fired += 1
                raise KrakenError(str(cruelty.params["error"]))


def _named(path: str) -> tuple[str, str]:
    """Return public or private (or what stands there), and the endpoint."""
    parts = path.split("/")
    return (parts[2] if len(parts) > 2 else ""), "/".join(parts[3:])[:60]
