"""Exact decimal arithmetic: one context, and the forms in which venues write numbers."""

from __future__ import annotations

import decimal
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from functools import lru_cache

ZERO = Decimal(0)
ONE = Decimal(1)

# The largest product is price x quantity x fee rate; 60 digits keep all of them exact.
decimal.getcontext().prec = 60
decimal.DefaultContext.prec = 60

__all__ = [
    "ONE",
    "ROUND_DOWN",
    "ROUND_HALF_UP",
    "ROUND_UP",
    "ZERO",
    "Decimal",
    "fixed",
    "is_multiple",
    "parse",
    "places",
    "plain",
    "quantum",
]


_QUANTA = tuple(ONE.scaleb(-decimals) for decimals in range(32))


def quantum(decimals: int) -> Decimal:
    """Return the smallest step of a number with so many decimal places."""
    return _QUANTA[decimals] if 0 <= decimals < len(_QUANTA) else ONE.scaleb(-decimals)


def fixed(value: Decimal, decimals: int, rounding: str = ROUND_HALF_UP) -> str:
    """Write a number with exactly so many decimal places, never in exponent form."""
    # What equals 0 is 0: a negative zero would find the same text.
    return _fixed(value or ZERO, decimals, rounding)


@lru_cache(maxsize=8_192)
def _fixed(value: Decimal, decimals: int, rounding: str) -> str:
    return format(value.quantize(quantum(decimals), rounding=rounding), "f")


def places(value: Decimal) -> int:
    """Return how many decimal places a number needs (trailing zeros do not count)."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def plain(value: Decimal) -> str:
    """Write a number without trailing zeros and without exponent."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether a number lies exactly on the grid of a tick or lot size."""
    return value % step == 0


def parse(text: object) -> Decimal:
    """Read a venue number: plain decimal digits, finite. Raises ValueError for everything else (NaN, 1e400, blanks)."""
    raw = str(text)
    if len(raw) > 40:
        raise ValueError("too long for a number")
    try:
        value = Decimal(raw)
    except decimal.InvalidOperation:
        raise ValueError("not a number") from None
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise ValueError("not a usable number")
    return value
