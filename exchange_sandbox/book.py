"""The order book of one pair: price-time priority, never crossed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal
from typing import Optional

from .money import ZERO
from .orders import BUY, Order


class Level:
    """The queue at one price; dicts keep insertion order, so the first entry is the oldest order."""

    __slots__ = ("orders", "total")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.total = ZERO


class Side:
    """One side of the book; `prices` is ascending."""

    def __init__(self, bids: bool) -> None:
        self.bids = bids
        self.levels: dict[Decimal, Level] = {}
        self.prices: list[Decimal] = []

    def add(self, order: Order) -> None:
        price = order.limit_price
        assert price is not None
        level = self.levels.get(price)
        if level is None:
            level = self.levels[price] = Level()
            insort(self.prices, price)
        level.orders[order.id] = order
        level.total += order.remaining

    def remove(self, order: Order) -> None:
        price = order.limit_price
        assert price is not None
        level = self.levels[price]
        del level.orders[order.id]
        level.total -= order.remaining
        if not level.orders:
            del self.levels[price]
            del self.prices[bisect_left(self.prices, price)]

    def reduce(self, price: Decimal, qty: Decimal) -> None:
        """Take executed or amended quantity out of a level's total."""
        self.levels[price].total -= qty

    def best(self) -> Optional[Decimal]:
        if not self.prices:
            return None
        return self.prices[-1] if self.bids else self.prices[0]

    def first(self) -> Optional[Order]:
        price = self.best()
        return None if price is None else next(iter(self.levels[price].orders.values()))

    def walk(self) -> Iterator[tuple[Decimal, Level]]:
        """Yield levels from the best price outwards."""
        for price in reversed(self.prices) if self.bids else self.prices:
            yield price, self.levels[price]

    def depth(self, count: int) -> list[tuple[Decimal, Decimal]]:
        """Return up to `count` (price, total quantity), best first."""
        prices = self.prices[-1 : -count - 1 : -1] if self.bids else self.prices[:count]
        return [(price, self.levels[price].total) for price in prices]


class Book:
    """Bids and asks of one pair."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.bids = Side(bids=True)
        self.asks = Side(bids=False)
        #: rises with each change; stream publishers compare it instead of the whole book
        self.version = 0

    def side(self, name: str) -> Side:
        return self.bids if name == BUY else self.asks

    def opposite(self, name: str) -> Side:
        return self.asks if name == BUY else self.bids

    def add(self, order: Order) -> None:
        self.version += 1
        self.side(order.side).add(order)

    def remove(self, order: Order) -> None:
        self.version += 1
        self.side(order.side).remove(order)

    def crosses(self, side: str, price: Optional[Decimal]) -> bool:
        """Tell whether an order of that side and limit (None = any price) would trade at once."""
        best = self.opposite(side).best()
        if best is None:
            return False
        return price is None or (best <= price if side == BUY else best >= price)

    def mid(self) -> Optional[Decimal]:
        bid, ask = self.bids.best(), self.asks.best()
        return None if bid is None or ask is None else (bid + ask) / 2
