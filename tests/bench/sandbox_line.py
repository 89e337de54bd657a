"""A kept connection that costs little: one request at a time, raw bytes out, status and body back. For load and long runs only."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from typing import Any
from urllib.parse import urlencode


class Line(asyncio.Protocol):
    """One HTTP/1.1 connection. Raises ConnectionError when it ends before the answer is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int, context: ssl.SSLContext | None = None) -> Line:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(cls, host, port, ssl=context, server_hostname=host if context else None)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("the connection ended"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0 or self._waiting is None:
            return
        at = self._buffer.lower().find(b"content-length:", 0, head)
        size = int(self._buffer[at + 15 : self._buffer.find(b"\r\n", at)]) if at >= 0 else 0
        if len(self._buffer) < head + 4 + size:
            return
        status, body = int(self._buffer[9:12]), bytes(self._buffer[head + 4 : head + 4 + size])
        self._buffer.clear()
        waiting, self._waiting = self._waiting, None
        if not waiting.done():
            waiting.set_result((status, body))

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request and return status and body."""
        assert self._transport is not None
        if self._transport.is_closing():
            raise ConnectionResetError("the connection has ended")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Kraken:
    """Makes signed Kraken requests as bytes."""

    def __init__(self, key: str, secret: str) -> None:
        self._key, self._secret = key, base64.b64decode(secret)
        self._nonce = time.time_ns() // 1000

    def private(self, endpoint: str, params: dict[str, Any]) -> bytes:
        self._nonce += 1
        nonce, path = str(self._nonce), "/0/private/" + endpoint
        body = urlencode({"nonce": nonce, **params}).encode()
        inner = hashlib.sha256(nonce.encode() + body).digest()
        sign = base64.b64encode(hmac.new(self._secret, path.encode() + inner, hashlib.sha512).digest()).decode()
        head = (
            "POST %s HTTP/1.1\r\nHost: sandbox\r\nUser-Agent: load\r\nAPI-Key: %s\r\nAPI-Sign: %s\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
        )
        return (head % (path, self._key, sign, len(body))).encode() + body


class Binance:
    """Makes signed Binance requests as bytes."""

    def __init__(self, key: str, secret: str) -> None:
        self._key, self._secret = key, secret.encode()

    def signed(self, method: str, path: str, params: dict[str, Any]) -> bytes:
        query = urlencode({**params, "timestamp": time.time_ns() // 1_000_000, "recvWindow": 60000})
        query += "&signature=" + hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        return self.plain(method, path, query)

    def plain(self, method: str, path: str, query: str) -> bytes:
        head = "%s %s HTTP/1.1\r\nHost: sandbox\r\nUser-Agent: load\r\nX-MBX-APIKEY: %s\r\n"
        if method in ("GET", "DELETE"):
            return (head % (method, path + "?" + query, self._key)).encode() + b"\r\n"
        body = query.encode()
        more = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n" % len(body)
        return (head % (method, path, self._key) + more).encode() + body


def public(path: str, method: str = "GET", host: str = "sandbox") -> bytes:
    """Return an unsigned request."""
    return ("%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: load\r\n\r\n" % (method, path, host)).encode()
