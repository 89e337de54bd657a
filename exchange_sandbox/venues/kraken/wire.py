"""Kraken's WebSocket v2 on the wire: JSON with exact numbers, timestamps, and the book's checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from ...money import fixed


class Raw(str):
    """Digits that go onto the wire as a JSON number, trailing zeros included (the checksum is computed over them)."""

    __slots__ = ()


def number(value: Decimal, decimals: int) -> Raw:
    """Return a number with fixed decimals for the wire."""
    return Raw(fixed(value, decimals))


def encode(value: Any) -> str:
    """Return JSON text; like json.dumps, but Raw digits stay numbers."""
    if isinstance(value, Raw):
        return str.__str__(value)
    if isinstance(value, dict):
        return "{" + ",".join(json.dumps(key) + ":" + encode(item) for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(encode(item) for item in value) + "]"
    return json.dumps(value)


def stamp(moment: float) -> str:
    """Return RFC 3339 with microseconds, as the venue writes times."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")


def checksum(asks: Sequence[tuple[str, str]], bids: Sequence[tuple[str, str]]) -> int:
    """Return the CRC32 of the ten best asks (low to high), then bids (high to low); prices and quantities as on the wire.

    Source: docs.kraken.com, guides/websockets/book-checksum-v2.
    """
    text = "".join(_digits(price) + _digits(qty) for side in (asks[:10], bids[:10]) for price, qty in side)
    return zlib.crc32(text.encode())
