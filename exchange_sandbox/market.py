"""Keeps the markets alive: moves the reference prices, quotes around them, lets small takers trade."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Optional

from .accounts import Account
from .candles import Candles
from .engine import Engine
from .generator import Generator
from .instruments import Instrument
from .money import ROUND_DOWN, ZERO
from .orders import BUY, SELL, Order, Refusal
from .positions import WALLET

#: quotes of the house, and the small takers that make trades print
MAKER, TAKER = "house:maker", "house:taker"
HOUSE_FUNDS = Decimal(10) ** 18
#: public trades kept per pair; the venue returns at most 1,000
TRADES_KEPT = 2_000
#: after a jump of the clock not every missed tick is quoted; candles still see this many
CATCH_UP = 1_440


@dataclass(frozen=True)
class MarketSettings:
    """How the generated markets behave; times in exchange seconds, fractions of the price."""

    seed: str = "golive"
    tick_s: float = 0.5
    half_life_s: float = 10.0
    deviation: float = 0.012
    half_spread: float = 0.0004
    levels: int = 12
    level_step: float = 0.0004
    #: value in quote currency of the best level
    level_value: float = 4_000.0
    #: chance per tick that a small taker trades
    flow: float = 0.7
    flow_value: float = 150.0
    #: minutes of candles made up before the start, so that indicators have something to look at
    history_min: int = 720


@dataclass(frozen=True)
class PublicTrade:
    """One printed trade; `side` is the taker's."""

    id: int
    price: Decimal
    qty: Decimal
    at: float
    side: str
    kind: str


class Market:
    """One pair: generator, house quotes, trades and candles."""

    def __init__(self, instrument: Instrument, settings: MarketSettings, engine: Engine, now: float) -> None:
        self.instrument, self.settings, self.engine = instrument, settings, engine
        self.generator = Generator(
            "%s:%s" % (settings.seed, instrument.symbol),
            float(instrument.start_price),
            settings.tick_s,
            settings.half_life_s,
            settings.deviation,
        )
        self._rng = random.Random("%s:%s:flow" % (settings.seed, instrument.symbol))  # noqa: S311  a market, not a secret
        self.candles = Candles()
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.ticks = 0
        #: exchange time of the newest market data; stands still while the feed is frozen
        self.as_of = now
        self.last_tick = now
        #: no quotes at all (cruelty empty_book), and a widening of the spread (cruelty thin_book)
        self.empty = False
        self.spread_factor = 1.0
        #: online, cancel_only, post_only, limit_only, reduce_only, maintenance, delisted
        self.status = "online"
        self._house: list[Order] = []

    def history(self, now: float) -> None:
        """Make up the candles before `now`: same seed, same candles."""
        step = 60.0
        past = Generator(
            "%s:%s:history" % (self.settings.seed, self.instrument.symbol),
            float(self.instrument.start_price),
            step,
            max(self.settings.half_life_s, step),
            self.settings.deviation,
        )
        start = (int(now // 60) - self.settings.history_min) * 60
        for minute in range(self.settings.history_min):
            price = self._round(Decimal(repr(past.step(0.0))))
            trade_id = self.engine.ids.number("trade:" + self.instrument.symbol)
            self.on_trade(
                price, self._lots(Decimal(100) / price), BUY if minute % 2 else SELL, "market", start + minute * 60 + 30, trade_id
            )

    def advance(self, now: float) -> None:
        """Run the ticks that are due; the last one is quoted, the ones before only move price, trades and candles."""
        due = int((now - self.last_tick) / self.settings.tick_s)
        if due <= 0:
            return
        if due > CATCH_UP:
            self.last_tick += (due - CATCH_UP) * self.settings.tick_s
            due = CATCH_UP
        watched = self._has_foreign_orders()
        for index in range(due):
            self.last_tick += self.settings.tick_s
            self.ticks += 1
            price = self._round(Decimal(repr(self.generator.step(self.last_tick))))
            if self.generator.frozen:
                continue
            if index == due - 1 or watched:
                self._quote(price, self.last_tick)
            elif price > 0:
                self.candles.add(price, self._lots(Decimal("0.01") * Decimal(self.settings.flow_value) / price), self.last_tick)

    def refresh(self, now: float) -> None:
        """Quote the present price at once (after a jump, or when a cruelty changed the book)."""
        if not self.generator.frozen:
            self._quote(self._round(Decimal(repr(self.generator.price()))), now, print_trade=True)

    def leave_only(self, taker_side: str, qty: Decimal, now: float) -> None:
        """Take the house's quotes against a taker out of the book but for a quantity at the best price; the next tick quotes again."""
        side = SELL if taker_side == BUY else BUY
        mine = [order for order in self._house if order.is_open and order.side == side]
        if not mine:
            return
        prices = [order.limit_price for order in mine if order.limit_price is not None]
        best = min(prices) if side == SELL else max(prices)
        for order in mine:
            self.engine.cancel(order, now)
        left = self._lots(qty)
        if left > 0:
            order_id = "H%d" % self.engine.ids.number("house")
            self._place(Order(order_id, MAKER, self.instrument.symbol, side, "limit", left, limit_price=best, stp="cancel-oldest"), now)

    def _has_foreign_orders(self) -> bool:
        book = self.engine.books[self.instrument.symbol]
        total = sum(len(level.orders) for side in (book.bids, book.asks) for level in side.levels.values())
        return total > len([order for order in self._house if order.is_open]) or bool(self.engine.stops[self.instrument.symbol])

    def _quote(self, price: Decimal, now: float, print_trade: bool = False) -> None:
        engine, symbol = self.engine, self.instrument.symbol
        for order in self._house:
            if order.is_open:
                engine.cancel(order, now)
        self._house = []
        self.as_of = now
        if self.empty or self.status in ("maintenance", "delisted", "cancel_only"):
            engine.set_index(symbol, price, now)
            return
        for level in range(self.settings.levels):
            away = (self.settings.half_spread + level * self.settings.level_step) * self.spread_factor
            qty = self._lots(Decimal(repr(self.settings.level_value * (1 + level / 4) * self._rng.uniform(0.6, 1.4))) / price)
            for side, factor in ((BUY, 1 - away), (SELL, 1 + away)):
                limit = self._round(price * Decimal(repr(factor)))
                limit += self.instrument.tick * ((level + 1) * (-1 if side == BUY else 1) if limit == price else 0)
                if limit > 0 and qty > 0:
                    self._place(
                        Order(
                            id="H%d" % engine.ids.number("house"),
                            account=MAKER,
                            symbol=symbol,
                            side=side,
                            type="limit",
                            qty=qty,
                            limit_price=limit,
                            stp="cancel-oldest",
                        ),
                        now,
                    )
        if self._rng.random() < self.settings.flow or print_trade:
            self._take(price, now)
        engine.set_index(symbol, price, now)

    def _place(self, order: Order, now: float) -> None:
        try:
            self.engine.submit(order, now)
        except Refusal:
            return
        if order.is_open:
            self._house.append(order)

    def _take(self, price: Decimal, now: float) -> None:
        value = self.settings.flow_value * self._rng.uniform(0.05, 2.0)
        qty = max(self._lots(Decimal(repr(value)) / price), self.instrument.lot)
        side = BUY if self._rng.random() < 0.5 else SELL
        order = Order(
            id="H%d" % self.engine.ids.number("house"), account=TAKER, symbol=self.instrument.symbol, side=side, type="market", qty=qty
        )
        self._place(order, now)

    def on_trade(self, price: Decimal, qty: Decimal, side: str, kind: str, at: float, trade_id: int) -> None:
        """Record a trade of the engine."""
        self.trades.append(PublicTrade(trade_id, price, qty, at, side, kind))
        self.candles.add(price, qty, at)

    def _round(self, price: Decimal) -> Decimal:
        return max(self.instrument.tick, price.quantize(self.instrument.tick))

    def _lots(self, qty: Decimal) -> Decimal:
        return qty.quantize(self.instrument.lot, rounding=ROUND_DOWN)

    def state(self) -> dict[str, Any]:
        return {"generator": self.generator.state(), "last": str(self.engine.last_price[self.instrument.symbol])}

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Continue after a restart. The last price comes back too, or waiting stops would look at the wrong one."""
        self.generator.restore(state["generator"])
        self.engine.last_price[self.instrument.symbol] = self.engine.index_price[self.instrument.symbol] = Decimal(state["last"])
        self.last_tick = now


class Markets:
    """All pairs together, and the house that quotes them."""

    def __init__(self, engine: Engine, settings: MarketSettings, now: float) -> None:
        self.engine, self.settings = engine, settings
        for name in (MAKER, TAKER):
            house = Account(name, house=True)
            engine.open_account(house)
            for instrument in engine.instruments.values():
                house.balances[instrument.base] = house.balances[instrument.quote] = HOUSE_FUNDS
        self.by_symbol = {item.symbol: Market(item, settings, engine, now) for item in engine.instruments.values()}
        engine.on_trade.append(
            lambda symbol, price, qty, side, kind, at, trade_id: self.by_symbol[symbol].on_trade(price, qty, side, kind, at, trade_id)
        )

    def start(self, now: float) -> None:
        """Make up the past and put the first quotes."""
        for market in self.by_symbol.values():
            market.history(now)
            market.last_tick = now
            market.refresh(now)

    def advance(self, now: float) -> None:
        for market in self.by_symbol.values():
            market.advance(now)

    def value(self, account: Account, quote: str = "USD") -> Optional[Decimal]:
        """Return an account's equity in dollars (USDT taken at its market price of 1), or None without a price."""
        total = sum((item.profit(self.engine.index_price[item.symbol]) for item in account.futures.open()), ZERO)
        for asset, balance in account.balances.items():
            if asset.removeprefix(WALLET) in (quote, "USDT", "USD", "USDC"):
                total += balance
                continue
            symbol = next(
                (item.symbol for item in self.engine.instruments.values() if item.base == asset and item.venue == account.venue), None
            )
            if symbol is not None:
                total += balance * self.engine.last_price[symbol]
        return total
