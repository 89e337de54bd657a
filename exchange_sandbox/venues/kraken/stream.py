"""One stream connection of Kraken: sequence numbers, heartbeats, and the cruelties that only its messages can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from ..connection import Connection as Base
from ..connection import frame
from .wire import encode

if TYPE_CHECKING:
    from ...core import Exchange

HEARTBEAT_S = 1.0
_HEARTBEAT = frame('{"channel":"heartbeat"}')


class Connection(Base):
    """A WebSocket v2 connection."""

    gap_kinds = ("executions", "balances")

    def __init__(self, exchange: Exchange, socket: web.WebSocketResponse, source: str, agent: str) -> None:
        super().__init__(exchange, socket, source, agent)
        self.token = ""
        self.private: set[str] = set()
        self.subscribed = False
        self._sequence: dict[str, int] = {}

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
            if row["exec_type"] == "trade" and self.strike("duplicate_fills") is not None:
                self.send(self.sequenced(channel, "update", [row]), channel)
            cut = self._find("partial_fill_then_disconnect")
            if cut is not None and row["order_status"] == "partially_filled":
                cut.fired += 1
                self.cut()
                return

    def beat(self, now: float) -> bool:
        """Heartbeat once a second of silence; cut the connection where a cruelty asks for it."""
        if super().beat(now):
            return True
        if self.subscribed and now - self._last_sent >= HEARTBEAT_S:
            silence = self._find("ws_silence")
            if silence is None or silence.params["heartbeats"]:
                self._put(_HEARTBEAT)
                self._last_sent = now
        return False

    def break_check(self, text: str, kind: str) -> str:
        if kind == "book" and self.strike("ws_checksum_mismatch") is not None:
            return text.replace('"checksum":', '"checksum":1', 1)
        return text
