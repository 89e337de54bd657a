"""What cruelties do to markets and venues: begin, go on, end."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

from .cruelty import Active
from .errors import BadRequest
from .market import Market
from .orders import BUY, Fill, Order

if TYPE_CHECKING:
    from .core import Exchange

#: cruelty -> status of the market, the strongest first
_STATUS = {"delisting": "delisted", "maintenance": "maintenance", "cancel_only": "cancel_only", "post_only": "post_only"}
_LASTING = (*_STATUS, "empty_book", "thin_book", "freeze_feed")


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
        """Put a cruelty's lasting effect in place. Raises BadRequest for a pair that is not there, or a door without TLS."""
        now = self._exchange.clock.now()
        if cruelty.name == "certificate_expired" and not self._exchange.has_tls:
            raise BadRequest("cruelty certificate_expired: this sandbox serves plain HTTP and has no certificate")
        for market in self._markets(cruelty):
            if cruelty.name == "price_jump":
                market.generator.shift(float(cruelty.params["pct"]))
                market.refresh(now)
            elif cruelty.name in _LASTING:
                self._settle(market, now)

    def end(self, cruelty: Active) -> None:
        """Take the lasting effect away; what other cruelties in force ask for stays."""
        now = self._exchange.clock.now()
        for market in self._markets(cruelty):
            if cruelty.name == "losing_fills":
                self._recover(cruelty, market)
                market.refresh(now)
            elif cruelty.name in _LASTING:
                self._settle(market, now)

    def _settle(self, market: Market, now: float) -> None:
        """Give a market the sum of all cruelties in force on it: equal ones add up, and one's end does not undo another."""
        active = [item for item in self._exchange.cruelties.active.values() if item.name in _LASTING and market in self._markets(item)]
        status = "online"
        for word in _STATUS.values():
            if any(_STATUS.get(item.name) == word for item in active):
                status = word
                break
        market.status = status
        market.empty = any(item.name == "empty_book" for item in active)
        market.spread_factor = math.prod(float(item.params["factor"]) for item in active if item.name == "thin_book")
        until = max((item.until for item in active if item.name == "freeze_feed"), default=None)
        if until is not None:
            market.generator.start_pattern("freeze", now, until - now, {})
        elif market.generator.frozen:
            market.generator.pattern = None
        market.refresh(now)

    def before_order(self, order: Order) -> None:
        """partial_fill_then_disconnect: leave so little in the book that an order that trades is filled in part."""
        found = self._exchange.cruelties_of("partial_fill_then_disconnect", order.account)
        if found:
            share = order.qty * Decimal(repr(math.prod(float(item.params["share"]) for item in found)))
            self._exchange.markets.by_symbol[order.symbol].leave_only(order.side, share, self._exchange.clock.now())

    def on_fill(self, fill: Fill) -> None:
        """losing_fills: after a filled entry the price falls, after the exit it comes back."""
        for cruelty in self._exchange.cruelties_of("losing_fills", fill.account):
            self._lose(cruelty, fill)

    def _lose(self, cruelty: Active, fill: Fill) -> None:
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
