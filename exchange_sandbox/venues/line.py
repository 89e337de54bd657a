"""A client's connection: aiohttp's, with a short way for the ordinary signed request.

A third of the time of a small request went into the server around the handler: a general parser, a stream for a body of a hundred bytes, a
task and two futures a request. A request that came alone and whole, whose head holds nothing but plain text and whose framing is a
Content-Length, is read here and answered by a callback. Whatever else a client sends (chunks, upgrades, pipelines, escapes in the path,
heads in pieces) is aiohttp's, byte for byte; a connection on which the framing was in any doubt stays there until it ends.
"""

from __future__ import annotations

import re
from typing import Any, Optional

from aiohttp import web

from .front import Asked, Front

LONGEST_HEAD, LONGEST_BODY = 8_000, 65_536
#: bytes that a client may send ahead while its request is answered
MOST_AHEAD = 65_536
_HEAD = re.compile(rb"(GET|POST|PUT|DELETE) (/[A-Za-z0-9/_-]+)(?:\?([!$-;=?-~]*))? HTTP/1\.1\r\n((?:[A-Za-z0-9-]+:[ -~]*\r\n)+)\r\n")
#: headers that change how a message is framed or what the connection is
_ODD = frozenset(("transfer-encoding", "upgrade", "expect", "content-encoding", "trailer", "te"))


class Ordinary:
    """What of an ordinary request has come: `asked` once it is whole, else it waits for the rest of its body."""

    __slots__ = ("asked",)

    def __init__(self, asked: Optional[Asked]) -> None:
        self.asked = asked


def read(data: bytes, source: str) -> Optional[Ordinary]:
    """Return the one ordinary request that the bytes are, or begin; None for everything else."""
    found = _HEAD.match(data)
    if found is None or found.end() > LONGEST_HEAD:
        return None
    method, path, query, block = found.groups()
    headers: dict[str, str] = {}
    lines = block.decode("ascii").split("\r\n")
    lines.pop()
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" ")
    if len(headers) != len(lines) or not _ODD.isdisjoint(headers) or headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    length = headers.get("content-length", "0")
    if not length.isdigit() or len(length) > 5 or (size := int(length)) > LONGEST_BODY:
        return None
    body = data[found.end() :]
    if len(body) > size:
        return None
    if len(body) < size:
        return Ordinary(None)
    return Ordinary(Asked(method.decode(), path.decode(), query.decode() if query else "", headers, body, source))


class Line(web.RequestHandler):
    """One connection of a client."""

    __slots__ = ("_ahead", "_answering", "_begun", "_front", "_odd", "_source")

    def __init__(self, front: Front, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._front = front
        #: something came whose end only aiohttp's parser knows
        self._odd = False
        #: an ordinary request whose body is not whole yet
        self._begun = b""
        #: what came while a request was being answered
        self._ahead = b""
        self._answering = False
        self._source: Optional[str] = None

    @property
    def heard(self) -> bool:
        """The client has sent something."""
        return self._source is not None

    def data_received(self, data: bytes) -> None:
        if self._odd or not data or self._close or self._force_close:
            super().data_received(data)
            return
        if self._answering:
            self._ahead += data
            if len(self._ahead) > MOST_AHEAD:
                self._pause_transport_reading()
            return
        begun, self._begun = self._begun, b""
        data = begun + data if begun else data
        if self._source is None:
            peer = self.peername
            self._source = str(peer[0]) if isinstance(peer, (list, tuple)) else str(peer or "")
        ordinary = read(data, self._source)
        if ordinary is None or (ordinary.asked is None and begun):
            self._odd = True
        elif ordinary.asked is None:
            self._begun = data
            return
        elif self._is_idle and self._quick(ordinary.asked):
            return
        super().data_received(data)

    @property
    def _is_idle(self) -> bool:
        """aiohttp waits for a request, and the client reads what it is sent."""
        waiter = self._waiter
        return waiter is not None and not waiter.done() and not self._messages and not self._paused

    def _quick(self, asked: Asked) -> bool:
        # Who shuts the server down waits for the answer as for any other.
        self._answering = self._request_in_progress = True
        if self._front.quick(asked, self._send):
            return True
        self._answering = self._request_in_progress = False
        return False

    def _send(self, answer: Optional[bytes]) -> None:
        self._answering = self._request_in_progress = False
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        if answer is None:
            transport.close()
            return
        transport.write(answer)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._ahead:
            ahead, self._ahead = self._ahead, b""
            if len(ahead) > MOST_AHEAD:
                self._resume_transport_reading()
            self.data_received(ahead)


class LineServer(web.Server):
    """aiohttp's server with these connections."""

    def __init__(self, front: Front, **settings: Any) -> None:
        super().__init__(front, **settings)
        self._front = front

    def __call__(self) -> Line:
        return Line(self._front, self, loop=self._loop, **self._kwargs)


__all__ = ["Line", "LineServer", "Ordinary", "read"]
