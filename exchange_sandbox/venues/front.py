"""The venue's door: a table of paths, and answers that leave as one piece of bytes.

Half of the time of a small request went into the application layer above the HTTP server (resolving, signals, assembling a response), and
none of it is needed here: the few paths are known, every answer is whole when it leaves, and carries the mark of the rehearsal.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
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


class Asked:
    """A request as venues read it, whichever way it came: `query` as it was sent, header names in lower case, the whole body."""

    __slots__ = ("body", "headers", "method", "path", "query", "source")

    def __init__(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, source: str) -> None:
        self.method, self.path, self.query, self.headers, self.body, self.source = method, path, query, headers, body, source

    @property
    def is_json(self) -> bool:
        """The body is declared as JSON; everything else is a form."""
        kind = self.headers.get("content-type")
        return kind is not None and kind.partition(";")[0].strip().lower() == JSON


def head(request: web.BaseRequest) -> Asked:
    """Return a request whose body was not read yet."""
    return Asked(request.method, request.path, request.rel_url.raw_query_string, request.headers, b"", request.remote or "")


async def body(request: web.BaseRequest, most: int) -> bytes:
    """Return the body of a request, cut behind `most` + 1 bytes. A read returns what is there by then, which may be a piece of it."""
    found = b""
    while request.body_exists and len(found) <= most and (more := await request.content.read(most + 1 - len(found))):
        found += more
    return found


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
        more = "" if keeps else "Connection: close\r\n"
        if keeps and request.version < (1, 1):
            more = "Connection: keep-alive\r\n"
        data = packed(self.whole, self.status, self._kind, self._more, more)
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("the client is gone")
        request.transport.write(data[: len(data) - len(self.whole)] if request.method == "HEAD" else data)
        return None

    async def write_eof(self, data: Any = b"") -> None:
        """Wait where the client reads slower than it asks."""
        if self._request is not None:
            await self._request.writer.drain()
            self._eof_sent = True


def packed(body: bytes, status: int, kind: str = JSON, headers: Optional[dict[str, str]] = None, more: str = "") -> bytes:
    """Return a whole answer as it goes onto the wire."""
    if headers:
        more += "".join(["%s: %s\r\n" % item for item in headers.items()])
    head = "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s: %s\r\n%s\r\n" % (
        status,
        _REASONS.get(status, ""),
        _Date.now(),
        kind,
        len(body),
        MARKER_HEADER,
        MARKER_VALUE,
        more,
    )
    return head.encode("latin-1") + body


def json_answer(data: Any, status: int = 200, headers: Optional[dict[str, str]] = None) -> Answer:
    """Return an answer with a JSON body."""
    return Answer(dumps(data), status, JSON, headers)


#: takes the bytes of an answer, or None: the connection is to be closed without one
Send = Callable[[Optional[bytes]], None]
#: answers a request as soon as it may be; False: not one of those, nothing was done
Quick = Callable[[Asked, Send], bool]


class Front:
    """Finds the handler of a path: an exact one first, else the one of its first segment."""

    def __init__(self) -> None:
        self._exact: dict[str, Handler] = {}
        self._below: dict[str, Handler] = {}
        self._quick: dict[str, Quick] = {}

    def get(self, path: str, handler: Handler) -> None:
        """Serve one path (GET)."""
        self._exact[path] = handler

    def below(self, segment: str, handler: Handler, quick: Optional[Quick] = None) -> None:
        """Serve everything below a first path segment, with every method; `quick` is asked first where the connection knows how."""
        self._below[segment] = handler
        if quick is not None:
            self._quick[segment] = quick

    def quick(self, asked: Asked, send: Send) -> bool:
        """Answer through a venue's quick way; False: the request goes through the handler, as if nothing had been."""
        quick = self._quick.get(asked.path.split("/", 2)[1])
        return quick is not None and asked.path not in self._exact and quick(asked, send)

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        handler = self._exact.get(path)
        if handler is not None:
            return await handler(request) if request.method == "GET" else Answer(b"405: Method Not Allowed", 405, "text/plain")
        parts = path.split("/", 2)
        handler = self._below.get(parts[1]) if len(parts) > 2 else None
        return await handler(request) if handler is not None else Answer(b"404: Not Found", 404, "text/plain")
