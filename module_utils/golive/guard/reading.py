"""What one look at an account shows, in terms that are the same for every venue. What is not as documented raises Odd: unknown is not zero.

Amounts are base currency or contracts; money is quote currency; times are seconds since 1970. A position's `key` is the asset on spot, and
the symbol (with the leg in hedge mode) where the venue itself knows positions.
"""
from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

ZERO = Decimal(0)


class Odd(Exception):
    """The venue's answer has another form than documented; says which part."""


class Held(NamedTuple):
    """A position. `minimum`: the smallest order, below which no stop can be placed; `entry`: average price paid, None: not known."""

    key: str
    pair: str
    side: str
    size: Decimal
    price: Decimal
    minimum: Decimal
    entry: Optional[Decimal] = None


class Order(NamedTuple):
    """An order. `key`: the position it belongs to; `opens`: it can open or enlarge one; `stop`: it rests until a trigger is reached.

    `left`: amount still open; `done`, `cost`: amount and money traded so far; `whole`: it closes whatever the position is; `trigger`: 0 for
    one that trails; `service`: which of the venue's lists holds it; `may_turn`: nothing at the venue holds it to reducing;
    `opened`, `closed`: 0 = not told.
    """

    id: str
    pair: str
    key: str
    side: str
    stop: bool
    opens: bool
    left: Decimal
    done: Decimal
    cost: Decimal
    trigger: Decimal
    client_id: str
    opened: float
    closed: float
    whole: bool = False
    service: str = "order"
    may_turn: bool = False


class Reading(NamedTuple):
    """One look. `margin_level`: equity in percent of the margin used (Kraken) or needed to keep the positions (Binance); None: none is."""

    at: float
    equity: Decimal
    held: Mapping[str, Held]
    orders: Mapping[str, Order]
    closed: Mapping[str, Order]
    margin_level: Optional[Decimal] = None


class Second(NamedTuple):
    """What a second endpoint says of a finding; only what was asked for is there. `bare`: amount of the position that no order protects."""

    equity: Optional[Decimal] = None
    exposure: Optional[Decimal] = None
    bare: Optional[Decimal] = None
    client_id: Optional[str] = None


def amount(value: Any, what: str, *, signed: bool = False) -> Decimal:
    """Return a venue's decimal text. Raises Odd for everything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Odd("%s is no number" % what)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Odd("%s is no number" % what) from None
    if not found.is_finite() or (found < 0 and not signed):
        raise Odd("%s is no amount" % what)
    return found


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return an object. Raises Odd."""
    if not isinstance(value, dict):
        raise Odd("%s is no object" % what)
    return value


def rows(value: Any, what: str) -> List[Mapping[str, Any]]:
    """Return a list of objects. Raises Odd."""
    if not isinstance(value, list):
        raise Odd("%s is no list" % what)
    return [mapping(row, "a row of %s" % what) for row in value]


def exposure_of(held: Mapping[str, Held]) -> Decimal:
    """Return what the positions are worth, long and short alike."""
    return sum((one.size * one.price for one in held.values()), ZERO)


def exits_of(held: Held, orders: Mapping[str, Order]) -> List[Order]:
    """Return the resting stops that make a position smaller."""
    out = "sell" if held.side == "long" else "buy"
    return [one for one in orders.values() if one.stop and one.key == held.key and one.side == out]


def uncovered(held: Mapping[str, Held], orders: Mapping[str, Order]) -> Dict[str, Decimal]:
    """Return {key: amount} of positions that no resting stop covers; less than the smallest order is dust and no position."""
    found = {}
    for key, one in held.items():
        stops = exits_of(one, orders)
        left = ZERO if any(stop.whole for stop in stops) else one.size - sum((stop.left for stop in stops), ZERO)
        if left >= one.minimum and left > 0:
            found[key] = left
    return found
