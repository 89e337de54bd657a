"""Public market data that spot and futures have in common: time, depth, trades, candles, tickers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...candles import Candle
from ...market import Market, PublicTrade
from ...money import ZERO, fixed
from ...orders import SELL
from .call import Call
from .errors import BinanceError
from .instruments import SYMBOLS, Symbol
from .limits import Limits
from .wire import eight, ms, price, qty

if TYPE_CHECKING:
    from ...core import Exchange
    from .gate import Gate

DAY_S = 86_400
#: interval -> (minutes of the candle it is made of, how many of them)
INTERVALS = {
    "1m": (1, 1),
    "3m": (1, 3),
    "5m": (5, 1),
    "15m": (15, 1),
    "30m": (30, 1),
    "1h": (60, 1),
    "2h": (60, 2),
    "4h": (240, 1),
    "6h": (60, 6),
    "8h": (60, 8),
    "12h": (60, 12),
    "1d": (1440, 1),
    "3d": (1440, 3),
    "1w": (10080, 1),
    "1M": (1440, 30),
}


def interval_s(interval: str) -> int:
    """Return the length of an interval in seconds (a month counts 30 days here)."""
    base, count = INTERVALS[interval]
    return base * count * 60


def candles_of(market: Market, interval: str) -> list[Candle]:
    """Return the candles of an interval, oldest first; those the market does not keep are put together from smaller ones."""
    base, count = INTERVALS[interval]
    rows = market.candles.get(base)
    if count == 1:
        return rows
    step = base * count * 60
    out: list[Candle] = []
    for row in rows:
        start = row.start // step * step
        if not out or out[-1].start != start:
            out.append(Candle(start, row.open, row.high, row.low, row.close, row.volume, row.turnover, row.count))
            continue
        last = out[-1]
        last.high, last.low, last.close = max(last.high, row.high), min(last.low, row.low), row.close
        last.volume, last.turnover, last.count = last.volume + row.volume, last.turnover + row.turnover, last.count + row.count
    return out


def kline(candle: Candle, symbol: Symbol, interval: str) -> list[Any]:
    """One candle as REST has it: 12 fields."""
    item = symbol.instrument
    half = candle.volume / 2
    return [
        candle.start * 1000,
        price(candle.open, item),
        price(candle.high, item),
        price(candle.low, item),
        price(candle.close, item),
        qty(candle.volume, item),
        (candle.start + interval_s(interval)) * 1000 - 1,
        eight(candle.turnover),
        candle.count,
        qty(half, item),
        eight(candle.turnover / 2),
        "0",
    ]


class MarketData:
    """Handlers for both markets; `Call.market` says which."""

    def __init__(self, exchange: Exchange, gate: Gate, limits: Limits) -> None:
        self.exchange, self.gate, self.limits = exchange, gate, limits

    def symbols(self, market: str) -> list[Symbol]:
        """Return the symbols of a market that run here, without delisted ones."""
        markets = self.exchange.markets.by_symbol
        return [
            item
            for item in SYMBOLS
            if item.market == market and item.instrument.symbol in markets and markets[item.instrument.symbol].status != "delisted"
        ]

    def market(self, symbol: Symbol) -> Market:
        return self.exchange.markets.by_symbol[symbol.instrument.symbol]

    # -- endpoints -----------------------------------------------------------------------------------------------------

    def ping(self, call: Call) -> Any:
        return {}

    def time(self, call: Call) -> Any:
        return {"serverTime": ms(call.now + self.gate.skew(call.seen.account, call.seen.source))}

    def depth(self, call: Call) -> Any:
        """Order book. The update id is the book's version, the same that the depth streams count with."""
        symbol = call.symbol()
        call.delivered(symbol)
        book, item = self.exchange.engine.books[symbol.instrument.symbol], symbol.instrument
        count = call.limit(100, 5000)
        out: dict[str, Any] = {"lastUpdateId": book.version}
        if symbol.contract:
            stamp = ms(self.market(symbol).as_of)
            out.update({"E": stamp, "T": stamp})
        for name, side in (("bids", book.bids), ("asks", book.asks)):
            out[name] = [[price(level, item), qty(amount, item)] for level, amount in side.depth(count)]
        return out

    def _trades(self, call: Call) -> tuple[Symbol, list[PublicTrade]]:
        symbol = call.symbol()
        call.delivered(symbol)
        return symbol, list(self.market(symbol).trades)

    def trades(self, call: Call) -> Any:
        symbol, rows = self._trades(call)
        since = call.integer("fromId")
        chosen = [row for row in rows if since is None or row.id >= since]
        count = call.limit(500, 1000)
        chosen = chosen[:count] if since is not None else chosen[-count:]
        out = []
        for row in chosen:
            item: dict[str, Any] = {
                "id": row.id,
                "price": price(row.price, symbol.instrument),
                "qty": qty(row.qty, symbol.instrument),
                "quoteQty": eight(row.price * row.qty) if not symbol.contract else fixed(row.price * row.qty, 2),
                "time": ms(row.at),
                "isBuyerMaker": row.side == SELL,
            }
            if not symbol.contract:
                item["isBestMatch"] = True
            out.append(item)
        return out

    def agg_trades(self, call: Call) -> Any:
        """Each trade is its own aggregate here: taker orders of the house fill at one price at a time."""
        symbol, rows = self._trades(call)
        first, start, end = call.integer("fromId"), call.integer("startTime"), call.integer("endTime")
        chosen = [
            row
            for row in rows
            if (first is None or row.id >= first) and (start is None or ms(row.at) >= start) and (end is None or ms(row.at) <= end)
        ]
        count = call.limit(500, 1000)
        return [self.agg(row, symbol) for row in (chosen[:count] if first is not None or start is not None else chosen[-count:])]

    def agg(self, row: PublicTrade, symbol: Symbol) -> dict[str, Any]:
        out: dict[str, Any] = {
            "a": row.id,
            "p": price(row.price, symbol.instrument),
            "q": qty(row.qty, symbol.instrument),
            "f": row.id,
            "l": row.id,
            "T": ms(row.at),
            "m": row.side == SELL,
        }
        if not symbol.contract:
            out["M"] = True
        return out

    def klines(self, call: Call) -> Any:
        symbol = call.symbol()
        call.delivered(symbol)
        return self._klines(call, symbol)

    def _klines(self, call: Call, symbol: Symbol) -> list[list[Any]]:
        interval = call.needed("interval")
        if interval not in INTERVALS:
            call.seen.bad("protocol", "unknown interval")
            raise BinanceError(-1120, "Invalid interval.")
        start, end = call.integer("startTime"), call.integer("endTime")
        rows = [
            row
            for row in candles_of(self.market(symbol), interval)
            if (start is None or row.start * 1000 >= start) and (end is None or row.start * 1000 <= end)
        ]
        count = call.limit(500, 1500 if symbol.contract else 1000)
        rows = rows[:count] if start is not None else rows[-count:]
        return [kline(row, symbol, interval) for row in rows]

    # -- tickers -------------------------------------------------------------------------------------------------------

    def each(self, call: Call) -> tuple[list[Symbol], bool]:
        """Return the symbols a ticker is asked for, and whether one object (not a list) is the answer."""
        if call.params.get("symbol"):
            chosen = [call.symbol()]
        elif call.params.get("symbols"):
            try:
                names = json.loads(call.params["symbols"])
                assert isinstance(names, list)
            except (ValueError, AssertionError, RecursionError):
                call.seen.bad("protocol", "symbols is no list")
                raise BinanceError(-1100, "Illegal characters found in parameter 'symbols'.") from None
            chosen = [call.known(str(name)) for name in names[:200]]
        else:
            chosen = self.symbols(call.market)
        for symbol in chosen:
            call.delivered(symbol)
        return chosen, bool(call.params.get("symbol"))

    def ticker_price(self, call: Call) -> Any:
        chosen, one = self.each(call)
        rows: list[dict[str, Any]] = [
            {"symbol": item.id, "price": price(self.exchange.engine.last_price[item.instrument.symbol], item.instrument)} for item in chosen
        ]
        if call.market != "binance":
            rows = [{**row, "time": ms(self.market(item).as_of)} for row, item in zip(rows, chosen, strict=True)]
        return rows[0] if one else rows

    def best(self, symbol: Symbol) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
        book = self.exchange.engine.books[symbol.instrument.symbol]
        bid, ask = ((side.depth(1) or [(ZERO, ZERO)])[0] for side in (book.bids, book.asks))
        return bid, ask

    def book_row(self, symbol: Symbol) -> dict[str, Any]:
        (bid, bid_qty), (ask, ask_qty) = self.best(symbol)
        item = symbol.instrument
        return {
            "symbol": symbol.id,
            "bidPrice": price(bid, item),
            "bidQty": qty(bid_qty, item),
            "askPrice": price(ask, item),
            "askQty": qty(ask_qty, item),
        }

    def book_ticker(self, call: Call) -> Any:
        chosen, one = self.each(call)
        rows = [self.book_row(item) for item in chosen]
        if call.market != "binance":
            rows = [
                {**row, "time": ms(self.market(item).as_of), "lastUpdateId": self.exchange.engine.books[item.instrument.symbol].version}
                for row, item in zip(rows, chosen, strict=True)
            ]
        return rows[0] if one else rows

    def ticker_24h(self, call: Call) -> Any:
        chosen, one = self.each(call)
        rows = [self.day(item, call.now) for item in chosen]
        return rows[0] if one else rows

    def statistics(self, symbol: Symbol, now: float) -> dict[str, Any]:
        """Return open, high, low, last, volume, turnover, count and start of the last 24 hours."""
        market = self.market(symbol)
        rows = [row for row in market.candles.get(15) if row.start >= now - DAY_S] or market.candles.get(15)[-1:]
        last: Optional[PublicTrade] = market.trades[-1] if market.trades else None
        at = last.price if last else self.exchange.engine.last_price[symbol.instrument.symbol]
        return {
            "open": rows[0].open if rows else at,
            "high": max((row.high for row in rows), default=at),
            "low": min((row.low for row in rows), default=at),
            "last": at,
            "last_qty": last.qty if last else ZERO,
            "last_id": last.id if last else 0,
            "volume": sum((row.volume for row in rows), ZERO),
            "turnover": sum((row.turnover for row in rows), ZERO),
            "count": sum(row.count for row in rows),
        }

    def day(self, symbol: Symbol, now: float) -> dict[str, Any]:
        """One row of ticker/24hr."""
        item, data = symbol.instrument, self.statistics(symbol, now)
        change = data["last"] - data["open"]
        out: dict[str, Any] = {
            "symbol": symbol.id,
            "priceChange": price(change, item),
            "priceChangePercent": fixed(change / data["open"] * 100 if data["open"] else ZERO, 3),
            "weightedAvgPrice": price(data["turnover"] / data["volume"] if data["volume"] else data["last"], item),
            "lastPrice": price(data["last"], item),
            "lastQty": qty(data["last_qty"], item),
            "openPrice": price(data["open"], item),
            "highPrice": price(data["high"], item),
            "lowPrice": price(data["low"], item),
            "volume": qty(data["volume"], item),
            "quoteVolume": eight(data["turnover"]),
            "openTime": ms(now - DAY_S),
            "closeTime": ms(now),
            "firstId": max(0, data["last_id"] - data["count"] + 1),
            "lastId": data["last_id"],
            "count": data["count"],
        }
        if not symbol.contract:
            best = self.book_row(symbol)
            out.update({"prevClosePrice": price(data["open"], item), **{name: best[name] for name in best if name != "symbol"}})
        return out
