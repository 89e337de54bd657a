"""One stream connection: its queue, its sequence numbers, and the cruelties that strike messages."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Optional

from aiohttp import web

from .wire import encode

if TYPE_CHECKING:
    from ...core import Exchange

#: a client that reads slower than this many messages is cut off, as a venue does; memory stays flat
LONGEST_QUEUE = 5_000
HEARTBEAT_S = 1.0
_HEARTBEAT = '{"channel":"heartbeat"}'


class Connection:
    """Messages go through `send`; `run` writes them to the socket in order."""

    def __init__(self, exchange: Exchange, socket: web.WebSocketResponse, source: str, agent: str) -> None:
        self._exchange, self._socket = exchange, socket
        self.source, self.agent = source, agent
        self.account: Optional[str] = None
        self.token = ""
        self.private: set[str] = set()
        self.subscribed = False
        self._queue: asyncio.Queue[Optional[str]] = asyncio.Queue()
        self._sequence: dict[str, int] = {}
        self._last_sent = 0.0
        self._last_cut = exchange.clock.now()
        self._swap: Optional[str] = None

    # -- sending -------------------------------------------------------------------------------------------------------

    def public(self, symbol: str, text: str, kind: str) -> None:
        """Send a public message and remember what the client has been told."""
        if self.send(text, kind):
            self._exchange.judge.delivered(self.source, symbol, self._exchange.markets.by_symbol[symbol].as_of)

    def sequenced(self, channel: str, kind: str, rows: list[dict[str, Any]]) -> str:
        """Encode a private message with its sequence number."""
        self._sequence[channel] = self._sequence.get(channel, 0) + 1
        return encode({"channel": channel, "type": kind, "data": rows, "sequence": self._sequence[channel]})

    def private_rows(self, channel: str, rows: list[dict[str, Any]]) -> None:
        """Send rows of a private channel, one message each as the venue does, with the cruelties that touch executions."""
        for row in rows:
            self.send(self.sequenced(channel, "update", [row]), channel)
            if channel != "executions" or not self._exchange.cruelties.active:
                continue
            if row["exec_type"] == "trade" and self._strike("duplicate_fills") is not None:
                self.send(self.sequenced(channel, "update", [row]), channel)
            cut = self._find("partial_fill_then_disconnect")
            if cut is not None and row["order_status"] == "partially_filled":
                cut.fired += 1
                self.cut()
                return

    def send(self, text: str, kind: str) -> bool:
        """Queue a message; False when a cruelty held it back."""
        if self._exchange.cruelties.active:
            changed = self._mangle(text, kind)
            if changed is None:
                return False
            text = changed
        if self._queue.qsize() > LONGEST_QUEUE:
            self.cut()
            return False
        self._queue.put_nowait(text)
        self._last_sent = self._exchange.clock.real()
        if self._swap is not None and kind not in ("reply", "status"):
            held, self._swap = self._swap, None
            self._queue.put_nowait(held)
        return True

    def beat(self, now: float) -> None:
        """Heartbeat once a second of silence; cut the connection where a cruelty asks for it."""
        drop = self._find("ws_drop")
        if drop is not None:
            exchange_now = self._exchange.clock.now()
            if exchange_now - max(self._last_cut, drop.started - float(drop.params["every_s"])) >= float(drop.params["every_s"]):
                drop.fired += 1
                self._last_cut = exchange_now
                self.cut()
                return
        if self.subscribed and now - self._last_sent >= HEARTBEAT_S:
            silence = self._find("ws_silence")
            if silence is None or silence.params["heartbeats"]:
                self._queue.put_nowait(_HEARTBEAT)
                self._last_sent = now

    def cut(self) -> None:
        """Close the TCP connection without a close frame, as a broken line does."""
        transport = self._socket._req.transport if self._socket._req is not None else None
        if transport is not None:
            transport.abort()
        self.close()

    def close(self) -> None:
        """Let the writer end."""
        self._queue.put_nowait(None)

    async def run(self) -> None:
        """Write queued messages until closed."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while (text := await self._queue.get()) is not None:
                await self._socket.send_str(text)

    # -- cruelties -----------------------------------------------------------------------------------------------------

    def _find(self, name: str) -> Any:
        return self._exchange.cruelty(name, self.account, self.source)

    def _strike(self, name: str) -> Any:
        cruelty = self._find(name)
        return cruelty if cruelty is not None and self._exchange.cruelties.strikes(cruelty) else None

    def _mangle(self, text: str, kind: str) -> Optional[str]:
        """Return what goes out instead of a message; None = nothing."""
        if self._find("ws_silence") is not None:
            return None
        if kind in ("reply", "status"):
            return text
        if kind in ("executions", "balances") and self._strike("ws_gap") is not None:
            return None
        if kind == "book" and self._strike("ws_checksum_mismatch") is not None:
            text = text.replace('"checksum":', '"checksum":1', 1)
        if self._strike("ws_half_json") is not None:
            return text[: len(text) // 2]
        if self._strike("ws_repeat") is not None:
            self._queue.put_nowait(text)
        if self._swap is None and self._strike("ws_out_of_order") is not None:
            self._swap = text
            return None
        return text
