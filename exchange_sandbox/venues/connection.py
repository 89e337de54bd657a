"""One stream connection of any venue: its queue, its frames on the wire, and the cruelties that strike messages."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from typing import TYPE_CHECKING, Optional

from aiohttp import web

from ..cruelty import Active

if TYPE_CHECKING:
    from ..core import Exchange

#: a client that reads slower than this many messages is cut off, as a venue does; memory stays flat
LONGEST_QUEUE = 5_000
#: messages that cruelties leave alone
PLAIN = ("reply", "status")


def frame(text: str) -> bytes:
    """Return a message as one unmasked, uncompressed WebSocket text frame (RFC 6455, section 5.2)."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return struct.pack("!BB", 0x81, size) + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload


class Connection:
    """Messages go through `send`; `run` writes what has gathered meanwhile in one piece, in order.

    Frames are made here and not by aiohttp, because one message for many listeners is then encoded once, and many messages for one
    listener are one write (and one TLS record) instead of many.
    """

    #: kinds of messages that ws_gap leaves out
    gap_kinds: tuple[str, ...] = ()

    def __init__(self, exchange: Exchange, socket: web.WebSocketResponse, source: str, agent: str) -> None:
        self._exchange, self._socket = exchange, socket
        self.source, self.agent = source, agent
        self.account: Optional[str] = None
        self._queue: deque[bytes] = deque()
        self._wake: asyncio.Event = asyncio.Event()
        self._closed = False
        self._last_sent = 0.0
        self._last_cut: dict[str, float] = {}
        self._opened = exchange.clock.now()
        self._swap: Optional[bytes] = None

    # -- sending -------------------------------------------------------------------------------------------------------

    def public(self, symbol: str, text: str, kind: str, ready: Optional[bytes] = None) -> None:
        """Send a public message and remember what the client has been told. `ready`: the same message as a frame."""
        if self.send(text, kind, ready):
            self._exchange.judge.delivered(self.source, symbol, self._exchange.markets.by_symbol[symbol].as_of)

    def send(self, text: str, kind: str, ready: Optional[bytes] = None) -> bool:
        """Queue a message; False when a cruelty held it back."""
        if self._exchange.cruelties.active:
            changed = self._mangle(text, kind)
            if changed is None:
                return False
            if changed != text:
                text, ready = changed, None
        if len(self._queue) > LONGEST_QUEUE:
            self.cut()
            return False
        self._put(ready if ready is not None else frame(text))
        self._last_sent = self._exchange.clock.real()
        if self._swap is not None and kind not in PLAIN:
            held, self._swap = self._swap, None
            self._put(held)
        return True

    def _put(self, data: bytes) -> None:
        self._queue.append(data)
        self._wake.set()

    def beat(self, now: float) -> bool:
        """Cut the connection where a cruelty asks for it; each of several has its own rhythm. True when it was cut."""
        moment = self._exchange.clock.now()
        for drop in self._exchange.cruelties_of("ws_drop", self.account, self.source):
            every = float(drop.params["every_s"])
            if moment - self._last_cut.get(drop.id, max(self._opened, drop.started - every)) >= every:
                drop.fired += 1
                self._last_cut[drop.id] = moment
                self.cut()
                return True
        return False

    def cut(self) -> None:
        """Close the TCP connection without a close frame, as a broken line does."""
        transport = self._socket._req.transport if self._socket._req is not None else None
        if transport is not None:
            transport.abort()
        self.close()

    def close(self) -> None:
        """Let the writer end."""
        self._closed = True
        self._wake.set()

    async def run(self) -> None:
        """Write queued messages until closed."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    batch = b"".join(self._queue)
                    self._queue.clear()
                    request, writer = self._socket._req, self._socket._writer
                    transport = request.transport if request is not None else None
                    if transport is None or transport.is_closing() or writer is None:
                        return
                    transport.write(batch)
                    await writer.protocol._drain_helper()
                if self._closed:
                    return

    # -- cruelties -----------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> Optional[Active]:
        return self._exchange.cruelty(name, self.account, self.source)

    def strike(self, name: str) -> Optional[Active]:
        """Roll the dice of the cruelties of that name until one strikes: several at once strike more often."""
        found = self._exchange.cruelties_of(name, self.account, self.source)
        return next((item for item in found if self._exchange.cruelties.strikes(item)), None)

    def break_check(self, text: str, kind: str) -> str:
        """Spoil what a client can verify in a message (the book's checksum); venues without one return it unchanged."""
        return text

    def _mangle(self, text: str, kind: str) -> Optional[str]:
        """Return what goes out instead of a message; None = nothing."""
        if self._find("ws_silence") is not None:
            return None
        if kind in PLAIN:
            return text
        if kind in self.gap_kinds and self.strike("ws_gap") is not None:
            return None
        text = self.break_check(text, kind)
        if self.strike("ws_half_json") is not None:
            return text[: len(text) // 2]
        for item in self._exchange.cruelties_of("ws_repeat", self.account, self.source):
            if self._exchange.cruelties.strikes(item):
                self._put(frame(text))
        if self._swap is None and self.strike("ws_out_of_order") is not None:
            self._swap = frame(text)
            return None
        return text
