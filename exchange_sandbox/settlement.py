"""How much money an order needs: what is held for it while it is open."""

from __future__ import annotations

from decimal import Decimal

from .instruments import Instrument
from .money import ZERO
from .orders import BUY, Order


def market_cost(price: Decimal, qty: Decimal, rate: Decimal, instrument: Instrument) -> Decimal:
    """Return the exact cost plus fee of buying at one price, and one cost step for the rounding of the order's fee.

    Fills are charged cost rounded down and the order's fee rounded to the nearest step, so this covers them however often it is split.
    """
    cost = price * qty
    return cost + cost * rate + instrument.cost_step


def hold_for(order: Order, instrument: Instrument, rate: Decimal) -> Decimal:
    """Return what an open order holds: base units for a sell, cost and taker fee of the rest for a buy.

    A waiting stop holds like an open order (an account that holds its coins in a stop has to cancel it before it can sell them).
    """
    if order.side != BUY:
        return order.remaining
    price = order.limit_price if order.limit_price is not None else order.stop_price
    if price is None:
        return ZERO
    return market_cost(price, order.remaining, rate, instrument)
