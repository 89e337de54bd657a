"""The venue's door: aiohttp's low-level server, a table of paths, and answers that leave as one piece of bytes.

Half of the time of a small request went into the application layer above the server (resolving, signals, assembling a response), and none
of it is needed here: the few paths are known, every answer is whole when it leaves, and carries the mark of the rehearsal.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Optional

from aiohttp import web

from .. import MARKER_HEADER, MARKER_VALUE
from ..fastjson import dumps

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
JSON = "application/json"
_REASONS = {item.value: item.phrase for item in HTTPStatus}


class _Date:
    """The Date header, made once a second."""

    second, text = 0, ""

    @classmethod
    def now(cls) -> str:
        second = int(time.time())
        if second != cls.second:
            cls.second, cls.text = second, formatdate(second, usegmt=True)
        return cls.text


class Answer(web.StreamResponse):
    """A whole answer: head and body are one write (and one TLS record)."""

    def __init__(self, body: bytes, status: int = 200, kind: str = JSON, headers: Optional[dict[str, str]] = None) -> None:
        super().__init__(status=status)
        self.whole, self._kind, self._more = body, kind, headers
        self._request: Optional[web.BaseRequest] = None

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Send everything; a client that is gone is the server's matter."""
        if self._request is not None:
            return None
        self._request = request
        keeps = request.keep_alive
        if not keeps:
            self.force_close()
        elif self.keep_alive is None:
            self._keep_alive = True
        status, more = self.status, "" if keeps else "Connection: close\r\n"
        if keeps and request.version < (1, 1):
            more = "Connection: keep-alive\r\n"
        for name, value in (self._more or {}).items():
            more += "%s: %s\r\n" % (name, value)
        head = "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s: %s\r\n%s\r\n" % (
            status,
            _REASONS.get(status, ""),
            _Date.now(),
            self._kind,
            len(self.whole),
            MARKER_HEADER,
            MARKER_VALUE,
            more,
        )
        data = head.encode("latin-1")
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        request.transport.write(data if request.method == "HEAD" else data + self.whole)
        return None

    async def write_eof(self, data: Any = b"") -> None:
        """Wait where the client reads slower than it asks."""
        if self._request is not None:
            await self._request.writer.drain()
            self._eof_sent = True


def json_answer(data: Any, status: int = 200, headers: Optional[dict[str, str]] = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(dumps(data), status, JSON, headers)


class Front:
    """Finds the handler of a path: an exact one first, else the one of its first segment."""

    def __init__(self) -> None:
        self._exact: dict[str, Handler] = {}
        self._below: dict[str, Handler] = {}

    def get(self, path: str, handler: Handler) -> None:
        """Serve one path (GET)."""
        self._exact[path] = handler

    def below(self, segment: str, handler: Handler) -> None:
        """Serve everything below a first path segment, with every method."""
        self._below[segment] = handler

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        handler = self._exact.get(path)
        if handler is not None:
            return await handler(request) if request.method == "GET" else Answer(b"405: Method Not Allowed", 405, "text/plain")
        parts = path.split("/", 2)
        handler = self._below.get(parts[1]) if len(parts) > 2 else None
        return await handler(request) if handler is not None else Answer(b"404: Not Found", 404, "text/plain")
