"""Kraken's REST protocol, version 0: what is signed, sent and understood.

Source of the forms: https://docs.kraken.com/api/docs/guides/spot-rest-auth and the endpoint pages beside it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import aiohttp

from .errors import BotError, VenueRefused, VenueUnclear
from .faults import Faults
from .metrics import Metrics
from .nonce import NonceSource

SANDBOX_MARKER = "X-Golive-Sandbox"


@dataclass(frozen=True)
class Credential:
    """A key of the venue; never printed."""

    key: str
    secret: bytes

    def __repr__(self) -> str:
        return "Credential(…)"

    @classmethod
    def parse(cls, text: str) -> Credential:
        """Read `{"key": …, "secret": …}`. Raises BotError without any part of it in the text."""
        try:
            raw = json.loads(text)
            key, secret = str(raw["key"]), base64.b64decode(str(raw["secret"]), validate=True)
        except (ValueError, KeyError, TypeError):
            raise BotError("the credential exchange_key is not a JSON object with key and base64 secret") from None
        if not key or not secret:
            raise BotError("the credential exchange_key has an empty key or secret")
        return cls(key, secret)


class Observer(Protocol):
    """Is told how each call ended, for the failsafe."""

    def good(self, scope: str) -> None:
        """The venue answered."""

    def bad(self, scope: str, reason: str) -> None:
        """The venue gave no usable answer, or says that it is in trouble."""


def sign(path: str, nonce: str, body: str, secret: bytes) -> str:
    """Return the header API-Sign: HMAC-SHA512 over path and SHA-256 of nonce and body, in base64."""
    inner = hashlib.sha256((nonce + body).encode()).digest()
    return base64.b64encode(hmac.new(secret, path.encode() + inner, hashlib.sha512).digest()).decode()


def tls(ca_file: str | None) -> ssl.SSLContext:
    """Return what verifies the venue; a `ca_file` replaces the host's authorities."""
    return ssl.create_default_context(cafile=ca_file)


class KrakenRest:
    """Calls the venue. Private calls go out one after the other, so that nonces arrive in the order they were drawn."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        timeout_s: float,
        metrics: Metrics,
        observer: Observer,
        ssl_context: ssl.SSLContext | None = None,
        credential: Credential | None = None,
        nonces: NonceSource | None = None,
        faults: Faults | None = None,
    ) -> None:
        self._session, self._base, self._metrics, self._observer = session, base.rstrip("/"), metrics, observer
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._ssl: Any = ssl_context if ssl_context is not None else True
        self._credential, self._nonces = credential, nonces
        self._faults = faults or Faults({})
        self._turn = asyncio.Lock()

    @property
    def can_trade(self) -> bool:
        """Return whether there is a key at all."""
        return self._credential is not None

    async def public(self, name: str, **params: str) -> Any:
        """Ask a public endpoint. Raises VenueRefused or VenueUnclear."""
        path = f"/0/public/{name}"
        return await self._call(name, "GET", path, params=params)

    async def private(self, name: str, **params: str) -> Any:
        """Ask a private endpoint with the next nonce. Raises VenueRefused or VenueUnclear."""
        if self._credential is None or self._nonces is None:
            raise BotError(f"{name} needs the exchange key and this instance has none")
        path = f"/0/private/{name}"
        async with self._turn:
            nonce = str(self._nonces.next())
            self._metrics.nonces.inc()
            body = urllib.parse.urlencode({"nonce": nonce, **params})
            signed = body + "&" if self._faults.on("sign_other_bytes") else body
            query = {"key": self._credential.key} if self._faults.on("key_in_query") else None
            headers = {
                "API-Key": self._credential.key,
                "API-Sign": sign(path, nonce, signed, self._credential.secret),
                "Content-Type": "application/x-www-form-urlencoded",
            }
            try:
                return await self._call(name, "POST", path, params=query, body=body, headers=headers)
            except VenueRefused as exc:
                if exc.bad_nonce:
                    self._metrics.nonces_refused.inc()
                raise

    async def unsigned(self, name: str, **params: str) -> Any:
        """Send a private request without a signature (fault `paper_sends_orders`; the venue will refuse it)."""
        return await self._call(name, "POST", f"/0/private/{name}", body=urllib.parse.urlencode(params))

    async def _call(
        self,
        name: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        started = time.monotonic()
        scope = "private" if "/private/" in path else "public"
        self._metrics.may_fail(name)
        try:
            result = await self._answer(method, path, params, body, headers)
        except VenueRefused as exc:
            self._count(name, started, "refused")
            if exc.busy:
                self._metrics.api_errors.labels(name, "venue").inc()
                self._observer.bad(scope, str(exc))
            else:
                if exc.bad_nonce or exc.rate_limited:
                    self._metrics.api_errors.labels(name, "refused").inc()
                self._observer.good(scope)
            raise
        except VenueUnclear as exc:
            self._count(name, started, "unclear")
            self._metrics.api_errors.labels(name, "unclear").inc()
            self._observer.bad(scope, f"{name}: {exc}")
            raise
        self._count(name, started, "ok")
        self._observer.good(scope)
        return result

    def _count(self, name: str, started: float, result: str) -> None:
        self._metrics.api_seconds.labels(name).observe(time.monotonic() - started)
        self._metrics.api_calls.labels(name, result).inc()

    async def _answer(
        self, method: str, path: str, params: Mapping[str, str] | None, body: str | None, headers: Mapping[str, str] | None
    ) -> Any:
        try:
            async with self._session.request(
                method,
                self._base + path,
                params=params,
                data=body,
                headers=headers,
                timeout=self._timeout,
                ssl=self._ssl,
                allow_redirects=False,
            ) as answer:
                raw = await answer.read()
                if self._faults and SANDBOX_MARKER not in answer.headers:
                    raise BotError("faults are active and the venue is no sandbox: its answer has no " + SANDBOX_MARKER)
                status = answer.status
        except (TimeoutError, aiohttp.ClientError, OSError) as exc:
            raise VenueUnclear(f"{type(exc).__name__} {exc}"[:200]) from None
        try:
            payload = json.loads(raw, parse_float=Decimal)
            errors = payload["error"]
        except (ValueError, KeyError, TypeError):
            raise VenueUnclear(f"HTTP {status}, not a Kraken answer ({len(raw)} bytes)") from None
        if status >= 500:
            raise VenueUnclear(f"HTTP {status} {'; '.join(map(str, errors))}"[:200])
        if errors:
            raise VenueRefused([str(error)[:200] for error in errors])
        if status != 200 or "result" not in payload:
            raise VenueUnclear(f"HTTP {status} without a result")
        return payload["result"]
