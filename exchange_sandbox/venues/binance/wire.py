"""Numbers and times as Binance writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ...instruments import Instrument
from ...money import ZERO, fixed, plain


def ms(moment: float) -> int:
    """Return milliseconds since 1970."""
    return int(moment * 1000)


def eight(value: Decimal) -> str:
    """Return a number with eight decimals, as spot writes all of them."""
    return fixed(value, 8)


def price(value: Decimal, item: Instrument) -> str:
    """Return a price: eight decimals on spot, the tick's on futures."""
    return fixed(value, item.price_decimals if item.contract is not None else 8)


def qty(value: Decimal, item: Instrument) -> str:
    return fixed(value, item.lot_decimals if item.contract is not None else 8)


def short(value: Decimal) -> str:
    """Return a number without trailing zeros."""
    return plain(value) if value else "0"


def average(cost: Decimal, filled: Decimal, item: Instrument) -> str:
    return fixed(cost / filled if filled else ZERO, max(item.price_decimals, 2))


def utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
