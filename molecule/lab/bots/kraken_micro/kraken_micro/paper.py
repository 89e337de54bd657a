"""The bot's own dry run: orders filled against the venue's prices, with fees, slippage and partial fills, never sent."""

from __future__ import annotations

from decimal import Decimal

from .book import Book, Order
from .config import Paper
from .execution import Intent
from .kraken_stream import Market, Price
from .ledger import Ledger
from .metrics import Metrics


class PaperDesk:
    """Takes intents like `Execution`; every record it writes says `simulated`."""

    def __init__(self, ledger: Ledger, book: Book, market: Market, paper: Paper, metrics: Metrics) -> None:
        self._ledger, self._book, self._market, self._paper, self._metrics = ledger, book, market, paper, metrics

    def free(self) -> Decimal:
        """Return what the dry run could still spend."""
        bound = sum((position.cost for position in self._book.positions.values()), Decimal(0))
        return self._paper.start_balance + self._book.realised - bound

    def place(self, intent: Intent) -> Order:
        """Fill an immediate order as far as the prices allow, or let a stop rest."""
        self._ledger.append(
            "request",
            client_id=intent.client_id,
            signal=intent.signal,
            pair=intent.instrument.pair,
            action=intent.action,
            side=intent.side,
            order_type=intent.order_type,
            volume=intent.volume,
            price=intent.price,
            attempt=1,
            simulated=True,
        )
        self._ledger.append("ack", client_id=intent.client_id, ok=True, txid=None, simulated=True)
        self._metrics.orders.labels("simulated").inc()
        order = self._book.orders[intent.client_id]
        if intent.order_type == "limit":
            price = self._market.prices[intent.instrument.pair]
            for volume, at in self._walk(intent, price):
                self._fill(order, intent.instrument.volume_down(volume), at)
            self._close(order, "closed" if order.executed == order.volume else "canceled")
        return order

    def trigger_stops(self) -> None:
        """Fill the resting stops that the market has reached: at the stop or at the worse price of a gap."""
        for order in self._book.open_orders():
            price = self._market.prices.get(order.pair)
            if order.action == "stop" and order.price is not None and price is not None and price.bid <= order.price:
                self._fill(order, order.volume, min(price.bid, order.price) * (1 - self._paper.slippage_fraction))
                self._close(order, "closed")

    def cancel(self, order: Order) -> None:
        """Take a resting order away."""
        self._close(order, "canceled")

    def _walk(self, intent: Intent, price: Price) -> list[tuple[Decimal, Decimal]]:
        """Return volumes and prices: what stands at the best price, then the rest one slippage away, within the limit."""
        buy = intent.side == "buy"
        best, there = (price.ask, price.ask_volume) if buy else (price.bid, price.bid_volume)
        worse = best * (1 + self._paper.slippage_fraction * (1 if buy else -1))
        limit = intent.price if intent.price is not None else worse
        first = min(intent.volume, there)
        levels = [(first, best), (intent.volume - first, worse)]
        return [(volume, at) for volume, at in levels if volume > 0 and (at <= limit if buy else at >= limit)]

    def _fill(self, order: Order, volume: Decimal, price: Decimal) -> None:
        if volume <= 0:
            return
        self._ledger.append(
            "fill",
            client_id=order.client_id,
            txid=None,
            pair=order.pair,
            side=order.side,
            action=order.action,
            signal=order.signal,
            volume=volume,
            price=price.quantize(Decimal("1E-12")).normalize(),
            fee=(volume * price * self._paper.taker_fee).quantize(Decimal("1E-12")).normalize(),
            simulated=True,
        )

    def _close(self, order: Order, status: str) -> None:
        self._ledger.append("order_closed", client_id=order.client_id, status=status, simulated=True)
