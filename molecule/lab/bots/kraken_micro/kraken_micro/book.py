"""What the ledger says is so: positions, orders, losses and latches, as a pure fold over its records.

Nothing is kept beside the ledger: a killed bot comes back with exactly the state that its records have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)


@dataclass
class Position:
    """An open position of one pair; prices in quote currency, `cost` includes the entry fees."""

    pair: str
    volume: Decimal = ZERO
    cost: Decimal = ZERO
    opened_ms: int = 0
    signal: str = ""
    stops: int = 0  # requested so far, so that each gets its own client id
    exits: int = 0
    stop_client_id: str | None = None

    @property
    def price(self) -> Decimal:
        """Return the average entry price, fees included."""
        return self.cost / self.volume if self.volume else ZERO


@dataclass
class Order:
    """An order as the ledger knows it. `status`: requested, open, closed, refused."""

    client_id: str
    pair: str
    action: str  # entry, exit, stop
    side: str
    order_type: str
    volume: Decimal
    price: Decimal | None
    signal: str | None
    simulated: bool
    requested_ms: int
    status: str = "requested"
    txid: str | None = None
    executed: Decimal = ZERO
    cost: Decimal = ZERO
    fee: Decimal = ZERO
    attempts: int = 1

    @property
    def open(self) -> bool:
        """Return whether the order may still be filled."""
        return self.status in ("requested", "open")


@dataclass
class Book:
    """The state of the venue's side (`simulated` False) or of the dry run (`simulated` True) of one ledger."""

    positions: dict[str, Position] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    realised: Decimal = ZERO
    fills: int = 0
    day: str = ""
    day_start: Decimal = ZERO
    last_profit: Decimal = ZERO
    last_fill: dict[str, Any] | None = None

    def apply(self, record: dict[str, Any]) -> None:
        """Take one record in."""
        kind = record["kind"]
        if kind == "request" and record["action"] != "cancel":
            self._request(record)
        elif kind == "ack" and record["client_id"] in self.orders:
            self._ack(record)
        elif kind == "fill":
            self._fill(record)
        elif kind == "order_closed" and record["client_id"] in self.orders:
            self._close(self.orders[record["client_id"]])

    def profit(self, prices: dict[str, Decimal]) -> Decimal:
        """Return profit and loss since the ledger began: realised, fees, and open positions at `prices`."""
        unrealised = ZERO
        for position in self.positions.values():
            if position.pair in prices:
                unrealised += position.volume * prices[position.pair] - position.cost
        return self.realised + unrealised

    def open_orders(self) -> list[Order]:
        """Return the orders that may still be filled."""
        return [order for order in self.orders.values() if order.open]

    def unresolved(self) -> list[Order]:
        """Return the orders that were sent and of which the venue's answer is not known."""
        return [order for order in self.orders.values() if order.status == "requested"]

    def _request(self, record: dict[str, Any]) -> None:
        known = self.orders.get(record["client_id"])
        if known is not None:
            known.attempts += 1
            known.status = "requested" if known.status == "refused" else known.status
            return
        self.orders[record["client_id"]] = Order(
            client_id=record["client_id"],
            pair=record["pair"],
            action=record["action"],
            side=record["side"],
            order_type=record["order_type"],
            volume=Decimal(record["volume"]),
            price=Decimal(record["price"]) if record.get("price") is not None else None,
            signal=record.get("signal"),
            simulated=bool(record.get("simulated")),
            requested_ms=record["ms"],
        )
        position = self.positions.get(record["pair"])
        if position is not None:
            position.stops += record["action"] == "stop"
            position.exits += record["action"] == "exit"

    def _ack(self, record: dict[str, Any]) -> None:
        order = self.orders[record["client_id"]]
        if not record["ok"]:
            self._close(order, "refused")
            return
        order.txid = record.get("txid")
        if order.status == "requested":
            order.status = "open"
        if order.action == "stop" and order.pair in self.positions:
            self.positions[order.pair].stop_client_id = order.client_id

    def _close(self, order: Order, status: str = "closed") -> None:
        order.status = status
        position = self.positions.get(order.pair)
        if position is not None and position.stop_client_id == order.client_id:
            position.stop_client_id = None
        # What is over is dropped after a while, so that a year of trading does not grow the process.
        over = [client_id for client_id, one in self.orders.items() if not one.open]
        for client_id in over[:-200]:
            del self.orders[client_id]

    def _fill(self, record: dict[str, Any]) -> None:
        volume, price, fee = (Decimal(record[name]) for name in ("volume", "price", "fee"))
        pair, now = record["pair"], record["ms"]
        order = self.orders.get(record["client_id"])
        if order is not None:
            order.executed += volume
            order.cost += volume * price
            order.fee += fee
        self.fills += 1
        self.last_fill = record
        position = self.positions.setdefault(pair, Position(pair, opened_ms=now, signal=str(record.get("signal") or "")))
        if record["side"] == "buy":
            position.volume += volume
            position.cost += volume * price + fee
            return
        sold = min(volume, position.volume)
        part = position.cost * sold / position.volume if position.volume else ZERO
        self.realised += volume * price - fee - part
        position.volume -= sold
        position.cost -= part
        if position.volume <= 0:
            del self.positions[pair]


@dataclass
class Latches:
    """What only a person releases, and what only the next UTC day does."""

    breaker: str | None = None
    killed: str | None = None
    failsafe: str | None = None
    daily_limit_day: str | None = None

    def apply(self, record: dict[str, Any]) -> None:
        """Take one record in."""
        kind = record["kind"]
        if kind == "breaker":
            self.breaker = record["reason"]
        elif kind == "kill":
            self.killed = record["reason"]
        elif kind == "mode" and record["to"] == "paper":
            self.failsafe = record["reason"]
        elif kind == "daily_limit":
            self.daily_limit_day = record["day"]
        elif kind == "released":
            setattr(self, record["latch"], None)


@dataclass
class State:
    """Everything that follows from the ledger."""

    venue: Book = field(default_factory=Book)
    paper: Book = field(default_factory=Book)
    latches: Latches = field(default_factory=Latches)
    starts: int = 0

    @classmethod
    def fold(cls, records: Iterable[dict[str, Any]]) -> State:
        """Return the state after all records."""
        state = cls()
        for record in records:
            state.apply(record)
        return state

    def apply(self, record: dict[str, Any]) -> None:
        """Take one record in."""
        if record["kind"] == "start":
            self.starts += 1
        book = self.paper if record.get("simulated") else self.venue
        book.apply(record)
        self.latches.apply(record)
        if record["kind"] == "day":
            book.day, book.day_start = record["day"], Decimal(record["profit_at_start"])
        if "profit" in record:
            book.last_profit = Decimal(record["profit"])
