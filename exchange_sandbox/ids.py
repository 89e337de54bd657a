"""Identifiers in the form of the venues, from a counter and a seed: the same seed gives the same ids."""

from __future__ import annotations

import hashlib
import string

_ALPHABET = string.ascii_uppercase + "234567"
_LETTERS = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))


class Ids:
    """Counters that survive a restart (`state` is journalled) and never repeat."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self.state: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the next number of a counter, from 1."""
        value = self.state.get(name, 0) + 1
        self.state[name] = value
        return value

    def venue_order(self, venue: str) -> str:
        """Return the next order id in the venue's form: Kraken's letters, Binance's numbers."""
        return self.txid("O") if venue == "kraken" else str(self.number("border"))

    def txid(self, letter: str) -> str:
        """Return the next id like `OQCLML-BW3P3-BUCMWZ` (6-5-6 letters and digits, first letter by kind)."""
        count = self.number(letter)
        raw = hashlib.sha256(("%s:%s:%d" % (self._seed, letter, count)).encode()).digest()
        text = raw[:16].translate(_LETTERS).decode()
        return "%s%s-%s-%s" % (letter, text[:5], text[5:10], text[10:16])
