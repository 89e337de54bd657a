"""What is held on margin at Kraken against the stops that rest for it. What a position is and what covers it is the guard's reading."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, List, Mapping, Tuple

from ..errors import Undecided
from ..guard.kraken_rows import margins_of, order_of, pairs_of, prices_of
from ..guard.reading import Held, Odd, Order, amount, exits_of, mapping, uncovered
from ._kraken import Kraken

ZERO = Decimal(0)


def on_margin(order: Mapping[str, Any]) -> bool:
    """Say whether an order is of a position on margin: it holds no coins, and protects none."""
    about = order.get("descr")
    return isinstance(about, dict) and about.get("leverage", "none") not in ("none", None)


def positions(venue: Kraken) -> Tuple[Mapping[str, Any], Decimal]:
    """Return the open positions as the venue lists them, and their profit in quote currency. Raises Undecided."""
    try:
        found = mapping(venue.private("OpenPositions", docalcs="true"), "OpenPositions")
        rows = {str(name): mapping(row, "position %s" % name) for name, row in found.items()}
        return rows, sum((amount(row.get("net") or "0", "net of a position", signed=True) for row in rows.values()), ZERO)
    except Odd as exc:
        raise Undecided("the venue does not tell the positions on margin: %s" % exc) from None


def protection(listed: Mapping[str, Any], orders: Mapping[str, Mapping[str, Any]], most: Decimal,
               venue: Kraken) -> Tuple[List[str], List[str]]:  # fmt: skip
    """Return (positions that no stop covers, stops that are not sane). `most`: share of the entry price that a stop may lose."""
    if not listed:
        return [], []
    names = sorted({str(row.get("pair")) for row in listed.values()})
    try:
        pairs = pairs_of(venue.public("AssetPairs", pair=",".join(names)), names)
        prices = prices_of(venue.public("Ticker", pair=",".join(names)), pairs)
        held = margins_of(listed, pairs, prices)
        resting = {name: order_of(name, row, pairs) for name, row in orders.items() if on_margin(row)}
    except Odd as exc:
        raise Undecided("what is held on margin cannot be held against its stops: %s" % exc) from None
    bare = ["%s: %s" % (key, format(size.normalize(), "f")) for key, size in sorted(uncovered(held, resting).items())]
    insane = [text for _, one in sorted(held.items()) for stop in exits_of(one, resting)
              if not _trails(orders[stop.id]) for text in _judged(one, stop, most)]  # fmt: skip
    return bare, sorted(insane)


def _trails(order: Mapping[str, Any]) -> bool:
    return str(order["descr"]["ordertype"]).startswith("trailing-stop")


def _judged(held: Held, stop: Order, most: Decimal) -> List[str]:
    if not held.entry:
        raise Undecided("what %s was opened at cannot be told, so neither how far its stop is from that" % held.key)
    sign = 1 if held.side == "long" else -1
    wrong_side = (held.price - stop.trigger) * sign <= 0
    if stop.trigger > 0 and not wrong_side and (held.entry - stop.trigger) * sign / held.entry <= most:
        return []
    return ["%s: %s of %s, now %s" % (stop.id, stop.trigger, _short(held.entry), _short(held.price))]


def _short(value: Decimal) -> str:
    return format(Decimal("%.8g" % value), "f")
