"""What cruelties do to markets and venues: begin, go on, end."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from .cruelty import Active
from .errors import BadRequest
from .market import Market
from .orders import BUY, Fill, Order

if TYPE_CHECKING:
    from .core import Exchange

_STATUS = {"maintenance": "maintenance", "cancel_only": "cancel_only", "post_only": "post_only", "delisting": "delisted"}


class Effects:
    """Applies the cruelties that change markets; those of single requests are applied where the request is served."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def _markets(self, cruelty: Active) -> list[Market]:
        name = str(cruelty.params.get("pair", ""))
        markets = self._exchange.markets.by_symbol
        if not name:
            return list(markets.values())
        symbol = self._exchange.symbol_of(name)
        if symbol is None:
            raise BadRequest("cruelty %s: unknown pair %r" % (cruelty.name, name[:40]))
        return [markets[symbol]]

    def begin(self, cruelty: Active) -> None:
        """Put a cruelty's lasting effect in place. Raises BadRequest for a pair that is not there."""
        now = self._exchange.clock.now()
        for market in self._markets(cruelty):
            symbol = market.instrument.symbol
            if cruelty.name in _STATUS:
                cruelty.undo[symbol] = market.status
                market.status = _STATUS[cruelty.name]
            elif cruelty.name == "price_jump":
                market.generator.shift(float(cruelty.params["pct"]))
            elif cruelty.name == "freeze_feed":
                market.generator.start_pattern("freeze", now, cruelty.until - now, {})
            elif cruelty.name == "empty_book":
                market.empty = True
            elif cruelty.name == "thin_book":
                market.spread_factor = float(cruelty.params["factor"])
            else:
                return
            if cruelty.name != "freeze_feed":
                market.refresh(now)

    def end(self, cruelty: Active) -> None:
        """Take the lasting effect away."""
        now = self._exchange.clock.now()
        for market in self._markets(cruelty):
            symbol = market.instrument.symbol
            if cruelty.name in _STATUS:
                market.status = str(cruelty.undo.get(symbol, "online"))
            elif cruelty.name == "freeze_feed":
                if market.generator.frozen:
                    market.generator.pattern = None
            elif cruelty.name == "empty_book":
                market.empty = False
            elif cruelty.name == "thin_book":
                market.spread_factor = 1.0
            elif cruelty.name == "losing_fills":
                self._recover(cruelty, market)
            else:
                return
            market.refresh(now)

    def before_order(self, order: Order) -> None:
        """partial_fill_then_disconnect: leave so little in the book that an order that trades is filled in part."""
        cruelty = self._exchange.cruelty("partial_fill_then_disconnect", order.account)
        if cruelty is not None:
            share = order.qty * Decimal(repr(float(cruelty.params["share"])))
            self._exchange.markets.by_symbol[order.symbol].leave_only(order.side, share, self._exchange.clock.now())

    def on_fill(self, fill: Fill) -> None:
        """losing_fills: after a filled entry the price falls, after the exit it comes back."""
        cruelty = self._exchange.cruelty("losing_fills", fill.account)
        if cruelty is None:
            return
        market = self._exchange.markets.by_symbol[fill.symbol]
        if fill.side == BUY and fill.symbol not in cruelty.undo:
            pct = float(cruelty.params["pct"])
            cruelty.undo[fill.symbol] = pct
            cruelty.fired += 1
            market.generator.shift(-pct)
            cruelty.undo["due:" + fill.symbol] = True
        elif fill.side != BUY:
            self._recover(cruelty, market)

    def _recover(self, cruelty: Active, market: Market) -> None:
        pct = cruelty.undo.pop(market.instrument.symbol, None)
        if pct is not None:
            market.generator.shift(100 * (1 / (1 - pct / 100) - 1))

    def beat(self, now: float) -> None:
        """Quote the price that losing_fills has moved: outside of the engine's own step."""
        for cruelty in self._exchange.cruelties.active.values():
            if cruelty.name == "losing_fills":
                for name in [name for name in cruelty.undo if name.startswith("due:")]:
                    del cruelty.undo[name]
                    self._exchange.markets.by_symbol[name[4:]].refresh(now)
