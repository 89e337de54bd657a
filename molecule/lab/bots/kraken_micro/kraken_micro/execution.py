"""Orders from intent to fill: written before they are sent, sent at most once, protected once filled."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from .book import Book, Order
from .errors import VenueError, VenueRefused
from .faults import Faults
from .ledger import Ledger
from .metrics import Metrics
from .venue import DEADLINE_S, Instrument, Orders, OrderState

log = logging.getLogger("kraken_micro.execution")

PREFIX = "gl"  # every order of this bot carries it, so that a foreign order is seen
LETTERS = {"entry": "e", "exit": "x", "stop": "s"}
ATTEMPTS = 3


def client_id(action: str, signal: str, number: int = 0) -> str:
    """Return the client order id of an action on a signal: the same for every attempt, at most 18 characters."""
    return f"{PREFIX}{LETTERS[action]}{signal[:13]}{number % 100:02d}"


@dataclass(frozen=True)
class Intent:
    """An order to be sent."""

    instrument: Instrument
    action: str
    side: str
    order_type: str
    volume: Decimal
    price: Decimal | None
    signal: str
    number: int = 0

    @property
    def client_id(self) -> str:
        """Return its client order id."""
        return client_id(self.action, self.signal, self.number)


class Execution:
    """Carries intents to the venue. The ledger is written first: what a crash interrupts is looked up afterwards."""

    def __init__(
        self,
        ledger: Ledger,
        book: Book,
        orders: Orders,
        metrics: Metrics,
        faults: Faults,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger, self._book, self._orders = ledger, book, orders
        self._metrics, self._faults, self._clock, self._sleep = metrics, faults, clock, sleep
        self._sent: list[float] = []

    def sent_last_minute(self) -> int:
        """Return how many orders were sent in the last 60 s: also while none is sent, or a bot at its limit would stay there for ever."""
        return sum(at > self._clock() - 60 for at in self._sent)

    async def place(self, intent: Intent) -> Order | None:
        """Send an order and wait for what becomes of it. None: refused, or still not known (`Book.unresolved`)."""
        for attempt in range(1, ATTEMPTS + 1):
            name = intent.client_id
            if attempt > 1 and self._faults.on("client_id_per_attempt"):
                name = f"{PREFIX}r{attempt}{intent.signal[:12]}{intent.number % 10}"
            self._request(intent, name, attempt)
            try:
                txid = await self._orders.add(intent.instrument, name, intent.side, intent.order_type, intent.volume, intent.price)
            except VenueRefused as exc:
                known = await self._find_again(name) if _duplicate(exc) else None
                if known is not None:
                    return await self._accepted(name, known.txid, known, found=True)
                self._refused(name, exc.errors, retried=exc.bad_nonce and attempt < ATTEMPTS)
                if exc.bad_nonce and attempt < ATTEMPTS:
                    continue
                return None
            except VenueError as exc:
                log.warning("order without answer", extra={"client_id": name, "reason": str(exc)[:200]})
                if self._faults.on("client_id_per_attempt"):
                    continue
                found = await self.resolve(name)
                if found is not None or self._book.orders[name].status == "requested":
                    return found
                continue  # certainly not there: the same order may be sent again
            return await self._accepted(name, txid, None)
        return None

    async def resolve(self, name: str) -> Order | None:
        """Find out what became of a request without an answer; leaves it unresolved while the venue does not say."""
        order = self._book.orders[name]
        try:
            state = await self._orders.find(name)
            if state is None:
                # Only after the engine's own deadline does "not there" mean "will not come".
                left = order.requested_ms / 1000 + DEADLINE_S + 0.5 - self._clock()
                if left > 0:
                    await self._sleep(left)
                    state = await self._orders.find(name)
        except VenueError as exc:
            self._metrics.orders.labels("unclear").inc()
            log.warning("order still unknown", extra={"client_id": name, "reason": str(exc)[:200]})
            return None
        if state is None:
            self._refused(name, ["not at the venue after its deadline"], retried=True)
            return None
        return await self._accepted(name, state.txid, state, found=True)

    async def refresh(self) -> None:
        """Ask what became of all open orders and write fills and ends down. Raises VenueError."""
        waiting = [order for order in self._book.open_orders() if order.txid and not order.simulated]
        by_txid = {order.txid: order for order in waiting if order.txid}
        names = list(by_txid)
        for start in range(0, len(names), 50):
            for txid, state in (await self._orders.query(names[start : start + 50])).items():
                if txid in by_txid:
                    self.record(by_txid[txid], state)

    async def cancel(self, order: Order) -> bool:
        """Cancel an order and return whether it is over; what it filled before is in the book. Raises VenueError."""
        self._ledger.append("request", action="cancel", client_id=order.client_id, pair=order.pair, txid=order.txid)
        try:
            await self._orders.cancel(order.txid or "")
        except VenueRefused as exc:
            if not any("Unknown order" in text for text in exc.errors):
                raise
        state = (await self._orders.query([order.txid or ""])).get(order.txid or "")
        if state is not None:
            self.record(order, state)
        return not order.open

    def record(self, order: Order, state: OrderState) -> None:
        """Write down what is new in the venue's word on an order; telling it twice changes nothing."""
        volume = state.executed - order.executed
        if volume > 0:
            cost, fee = state.cost - order.cost, state.fee - order.fee
            self._ledger.append(
                "fill",
                client_id=order.client_id,
                txid=state.txid,
                pair=order.pair,
                side=order.side,
                action=order.action,
                signal=order.signal,
                volume=volume,
                price=(cost / volume).quantize(Decimal("1E-12")).normalize(),
                fee=fee,
                simulated=False,
            )
            # The quotient is rounded; the venue's own sum is what the next difference starts from.
            order.cost, order.fee = state.cost, state.fee
        if state.over and order.open:
            self._ledger.append("order_closed", client_id=order.client_id, status=state.status, simulated=False)

    def _request(self, intent: Intent, name: str, attempt: int) -> None:
        self._sent = [at for at in self._sent if at > self._clock() - 60] + [self._clock()]
        if self._faults.on("ledger_skips_requests") and intent.action == "entry":
            self._book.apply(_request_record(intent, name, self._clock()))
            return
        self._ledger.append(
            "request",
            client_id=name,
            signal=intent.signal,
            pair=intent.instrument.pair,
            action=intent.action,
            side=intent.side,
            order_type=intent.order_type,
            volume=intent.volume,
            price=intent.price,
            attempt=attempt,
            simulated=False,
        )

    async def _accepted(self, name: str, txid: str, state: OrderState | None, found: bool = False) -> Order:
        self._metrics.orders.labels("accepted").inc()
        self._ledger.append("ack", client_id=name, ok=True, txid=txid, found=found, simulated=False)
        order = self._book.orders[name]
        if state is not None:
            self.record(order, state)
        if order.order_type == "limit":
            await self._until_over(order)
        return order

    async def _until_over(self, order: Order) -> None:
        """Wait for the end of an immediate order; if the venue stays silent, `refresh` writes it down later."""
        for pause in (0.0, 0.05, 0.1, 0.2, 0.4, 0.8):
            if not order.open:
                return
            if pause:
                await self._sleep(pause)
            try:
                state = (await self._orders.query([order.txid or ""])).get(order.txid or "")
            except VenueError as exc:
                log.warning("order's end not known yet", extra={"client_id": order.client_id, "reason": str(exc)[:200]})
                return
            if state is not None:
                self.record(order, state)

    def _refused(self, name: str, errors: list[str], retried: bool) -> None:
        self._metrics.orders.labels("refused").inc()
        log.warning("order refused", extra={"client_id": name, "venue": errors})
        self._ledger.append("ack", client_id=name, ok=False, errors=errors, retried=retried, simulated=False)

    async def _find_again(self, name: str) -> OrderState | None:
        try:
            return await self._orders.find(name)
        except VenueError:
            return None


def _duplicate(exc: VenueRefused) -> bool:
    return any("cl_ord_id" in text.lower() or "duplicate" in text.lower() for text in exc.errors)


def _request_record(intent: Intent, name: str, now: float) -> dict[str, object]:
    return {
        "kind": "request",
        "client_id": name,
        "signal": intent.signal,
        "pair": intent.instrument.pair,
        "action": intent.action,
        "side": intent.side,
        "order_type": intent.order_type,
        "volume": str(intent.volume),
        "price": None if intent.price is None else str(intent.price),
        "ms": int(now * 1000),
    }
