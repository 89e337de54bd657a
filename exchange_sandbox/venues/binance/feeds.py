"""Binance's market streams: what each stream says, encoded once for all who listen."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...engine import Fact
from ...fastjson import dumps
from ...market import PublicTrade
from ...money import ZERO, fixed
from ...orders import SELL
from ..connection import frame
from .instruments import BY_SYMBOL, SPOT, Symbol, find
from .market_data import INTERVALS, MarketData, candles_of, interval_s
from .um_public import UmPublic
from .wire import eight, ms, price, qty

if TYPE_CHECKING:
    from ...core import Exchange
    from .sockets import Socket

Levels = dict[Decimal, Decimal]
#: market and stream name, as subscribed
Topic = tuple[str, str]
DEEPEST = 1_000
_NAME = re.compile(r"([a-z0-9]{2,20})@([A-Za-z]+\d*)(?:_([0-9]{1,2}[smhdwM]))?(?:@([0-9a-z]+))?")
_ALL = re.compile(r"!(ticker|miniTicker|bookTicker|markPrice|forceOrder)(?:@arr)?(?:@(\d+s))?")
KINDS = (
    "depth",
    "depth5",
    "depth10",
    "depth20",
    "aggTrade",
    "trade",
    "kline",
    "ticker",
    "miniTicker",
    "bookTicker",
    "markPrice",
    "forceOrder",
)
FUTURES_ONLY = ("markPrice", "forceOrder")
#: streams that speak once in so many seconds
SLOW_S = {"ticker": 1.0, "miniTicker": 1.0, "markPrice": 1.0}


def text_of(data: Any) -> str:
    return dumps(data).decode()


class Stream:
    """One stream that somebody listens to: its kind, its symbols, and what it has said last."""

    def __init__(self, topic: Topic, kind: str, symbols: list[Symbol], interval: str, whole: bool) -> None:
        self.topic, self.kind, self.symbols, self.interval, self.whole = topic, kind, symbols, interval, whole
        self.listeners: set[Socket] = set()
        self.last: dict[str, Any] = {}
        self.said = 0.0


def parse(market: str, name: str, symbols: list[Symbol]) -> Optional[Stream]:
    """Return the stream of a name, or None when there is no such stream."""
    every = _ALL.fullmatch(name)
    if every is not None:
        if every.group(1) in FUTURES_ONLY and market == SPOT:
            return None
        return Stream((market, name), every.group(1), symbols, "", name.endswith("@arr") or "@arr@" in name)
    found = _NAME.fullmatch(name)
    if found is None or found.group(2) not in KINDS or (found.group(2) in FUTURES_ONLY and market == SPOT):
        return None
    symbol = find(market, found.group(1).upper())
    interval = found.group(3) or ""
    if symbol is None or symbol not in symbols or (found.group(2) == "kline") != (interval in INTERVALS):
        return None
    return Stream((market, name), found.group(2), [symbol], interval, False)


class Feeds:
    """All streams and their listeners."""

    def __init__(self, exchange: Exchange, data: MarketData) -> None:
        self._exchange, self._data, self._um = exchange, data, UmPublic(data)
        self.streams: dict[Topic, Stream] = {}
        self._trades: dict[str, list[PublicTrade]] = {}
        self._liquidations: list[dict[str, Any]] = []
        self._speak: dict[str, Callable[[Stream, float], None]] = {
            "trade": self._trade,
            "aggTrade": self._trade,
            "kline": self._kline,
            "ticker": self._ticker,
            "miniTicker": self._ticker,
            "bookTicker": self._book_ticker,
            "markPrice": self._mark_price,
            "forceOrder": self._force_order,
        }
        exchange.engine.on_trade.append(self._on_trade)
        exchange.after_beat.append(self.flush)
        exchange.listeners.append(self._on_facts)

    def subscribe(self, market: str, name: str, who: Socket) -> bool:
        """Add a listener; False for a stream that does not exist (the venue says nothing about it)."""
        stream = self.streams.get((market, name))
        if stream is None:
            stream = parse(market, name, self._data.symbols(market))
            if stream is None:
                return False
            self.streams[stream.topic] = stream
            if stream.kind == "depth":
                self._start_depth(stream)
        stream.listeners.add(who)
        return True

    def unsubscribe(self, market: str, name: str, who: Socket) -> None:
        stream = self.streams.get((market, name))
        if stream is not None:
            stream.listeners.discard(who)
            if not stream.listeners:
                del self.streams[stream.topic]

    def flush(self) -> None:
        """Say what has changed since the last time."""
        now = self._exchange.clock.now()
        for stream in list(self.streams.values()):
            wait = SLOW_S.get(stream.kind, 0.0)
            if wait and now - stream.said < wait:
                continue
            if stream.kind.startswith("depth"):
                self._depth(stream)
            else:
                self._speak[stream.kind](stream, now)
            if wait:
                stream.said = now
        self._trades.clear()
        self._liquidations.clear()

    def _send(self, stream: Stream, data: Any, symbol: Optional[Symbol]) -> None:
        """Send one event to all listeners, plain or wrapped as they asked for it."""
        ready: dict[bool, tuple[str, bytes]] = {}
        for listener in list(stream.listeners):
            if listener.combined not in ready:
                text = text_of({"stream": stream.topic[1], "data": data} if listener.combined else data)
                ready[listener.combined] = (text, frame(text))
            text, raw = ready[listener.combined]
            if symbol is not None:
                listener.public(symbol.instrument.symbol, text, stream.kind, raw)
            else:
                listener.send(text, stream.kind, raw)
                for item in stream.symbols:
                    self._exchange.judge.delivered(
                        listener.source, item.instrument.symbol, self._exchange.markets.by_symbol[item.instrument.symbol].as_of
                    )

    # -- book ----------------------------------------------------------------------------------------------------------

    def _levels(self, symbol: Symbol) -> tuple[Levels, Levels]:
        book = self._exchange.engine.books[symbol.instrument.symbol]
        return dict(book.bids.depth(DEEPEST)), dict(book.asks.depth(DEEPEST))

    def _start_depth(self, stream: Stream) -> None:
        symbol = stream.symbols[0]
        stream.last["levels"] = self._levels(symbol)
        stream.last["version"] = self._exchange.engine.books[symbol.instrument.symbol].version

    def _depth(self, stream: Stream) -> None:
        symbol = stream.symbols[0]
        item, version = symbol.instrument, self._exchange.engine.books[symbol.instrument.symbol].version
        before = stream.last.get("version")
        if before == version:
            return
        stream.last["version"] = version
        stamp = ms(self._exchange.markets.by_symbol[item.symbol].as_of)
        if stream.kind != "depth":
            count = int(stream.kind[5:])
            book = self._exchange.engine.books[item.symbol]
            sides = [[[price(level, item), qty(amount, item)] for level, amount in side.depth(count)] for side in (book.bids, book.asks)]
            if symbol.contract:
                self._send(
                    stream,
                    {
                        **self._head("depthUpdate", symbol, stamp),
                        "U": version,
                        "u": version,
                        "pu": before or version,
                        "b": sides[0],
                        "a": sides[1],
                    },
                    symbol,
                )
            else:
                self._send(stream, {"lastUpdateId": version, "bids": sides[0], "asks": sides[1]}, symbol)
            return
        old, new = stream.last["levels"], self._levels(symbol)
        stream.last["levels"] = new
        changes = [_difference(one, two) for one, two in zip(old, new, strict=True)]
        rows = [[[price(level, item), qty(amount, item)] for level, amount in side.items()] for side in changes]
        data = {**self._head("depthUpdate", symbol, stamp), "U": (before or 0) + 1, "u": version, "b": rows[0], "a": rows[1]}
        if symbol.contract:
            data["pu"] = before
        self._send(stream, data, symbol)

    @staticmethod
    def _head(kind: str, symbol: Symbol, stamp: int) -> dict[str, Any]:
        head: dict[str, Any] = {"e": kind, "E": stamp}
        if symbol.contract:
            head["T"] = stamp
        return {**head, "s": symbol.id}

    def _book_ticker(self, stream: Stream, now: float) -> None:
        for symbol in stream.symbols:
            book = self._exchange.engine.books[symbol.instrument.symbol]
            (bid, bid_qty), (ask, ask_qty) = best = self._data.best(symbol)
            if stream.last.get(symbol.id) == best:
                continue
            stream.last[symbol.id] = best
            item = symbol.instrument
            row: dict[str, Any] = {
                "u": book.version,
                "s": symbol.id,
                "b": price(bid, item),
                "B": qty(bid_qty, item),
                "a": price(ask, item),
                "A": qty(ask_qty, item),
            }
            if symbol.contract:
                stamp = ms(self._exchange.markets.by_symbol[item.symbol].as_of)
                row = {"e": "bookTicker", **row, "T": stamp, "E": stamp}
            self._send(stream, row, symbol)

    # -- trades and candles --------------------------------------------------------------------------------------------

    def _on_trade(self, symbol: str, at_price: Decimal, amount: Decimal, side: str, kind: str, at: float, trade_id: int) -> None:
        if self.streams and symbol in BY_SYMBOL:
            self._trades.setdefault(symbol, []).append(PublicTrade(trade_id, at_price, amount, at, side, kind))

    def _trade(self, stream: Stream, now: float) -> None:
        symbol = stream.symbols[0]
        for row in self._trades.get(symbol.instrument.symbol, ()):
            head = {"e": stream.kind, "E": ms(row.at), "s": symbol.id}
            if stream.kind == "aggTrade":
                data = {**head, **self._data.agg(row, symbol)}
            else:
                data = {
                    **head,
                    "t": row.id,
                    "p": price(row.price, symbol.instrument),
                    "q": qty(row.qty, symbol.instrument),
                    "T": ms(row.at),
                }
                data["m"] = row.side == SELL
                data.update({"X": "MARKET"} if symbol.contract else {"M": True})
            self._send(stream, data, symbol)

    def _kline(self, stream: Stream, now: float) -> None:
        symbol = stream.symbols[0]
        rows = candles_of(self._exchange.markets.by_symbol[symbol.instrument.symbol], stream.interval)
        if not rows or stream.last.get("state") == (rows[-1].start, rows[-1].count):
            return
        known = stream.last.get("state")
        stream.last["state"] = (rows[-1].start, rows[-1].count)
        ended = [row for row in rows[-3:-1] if known is not None and known[0] <= row.start < rows[-1].start]
        item, length = symbol.instrument, interval_s(stream.interval)
        for row in [*ended, rows[-1]]:
            half = row.volume / 2
            self._send(
                stream,
                {
                    "e": "kline",
                    "E": ms(now),
                    "s": symbol.id,
                    "k": {
                        "t": row.start * 1000,
                        "T": (row.start + length) * 1000 - 1,
                        "s": symbol.id,
                        "i": stream.interval,
                        "f": 0,
                        "L": row.count,
                        "o": price(row.open, item),
                        "c": price(row.close, item),
                        "h": price(row.high, item),
                        "l": price(row.low, item),
                        "v": qty(row.volume, item),
                        "n": row.count,
                        "x": row is not rows[-1],
                        "q": eight(row.turnover),
                        "V": qty(half, item),
                        "Q": eight(row.turnover / 2),
                        "B": "0",
                    },
                },
                symbol,
            )

    # -- tickers and marks ---------------------------------------------------------------------------------------------

    def _ticker_row(self, symbol: Symbol, kind: str, now: float) -> dict[str, Any]:
        data, item = self._data.statistics(symbol, now), symbol.instrument
        row: dict[str, Any] = {
            "e": "24hrTicker" if kind == "ticker" else "24hrMiniTicker",
            "E": ms(now),
            "s": symbol.id,
            "c": price(data["last"], item),
            "o": price(data["open"], item),
            "h": price(data["high"], item),
            "l": price(data["low"], item),
            "v": qty(data["volume"], item),
            "q": eight(data["turnover"]),
        }
        if kind == "ticker":
            change = data["last"] - data["open"]
            row.update(
                {
                    "p": price(change, item),
                    "P": fixed(change / data["open"] * 100 if data["open"] else ZERO, 3),
                    "w": price(data["turnover"] / data["volume"] if data["volume"] else data["last"], item),
                    "Q": qty(data["last_qty"], item),
                    "O": ms(now - 86_400),
                    "C": ms(now),
                    "F": max(0, data["last_id"] - data["count"] + 1),
                    "L": data["last_id"],
                    "n": data["count"],
                }
            )
            if not symbol.contract:
                (bid, bid_qty), (ask, ask_qty) = self._data.best(symbol)
                row.update({"x": row["o"], "b": price(bid, item), "B": qty(bid_qty, item), "a": price(ask, item), "A": qty(ask_qty, item)})
        return row

    def _ticker(self, stream: Stream, now: float) -> None:
        rows = [self._ticker_row(symbol, stream.kind, now) for symbol in stream.symbols]
        self._send(stream, rows if stream.whole else rows[0], None if stream.whole else stream.symbols[0])

    def _mark_price(self, stream: Stream, now: float) -> None:
        rows = []
        for symbol in stream.symbols:
            data = self._um.premium_row(symbol, now)
            rows.append(
                {
                    "e": "markPriceUpdate",
                    "E": ms(now),
                    "s": symbol.id,
                    "p": data["markPrice"],
                    "i": data["indexPrice"],
                    "P": data["estimatedSettlePrice"],
                    "r": data["lastFundingRate"],
                    "T": data["nextFundingTime"],
                }
            )
        self._send(stream, rows if stream.whole else rows[0], None if stream.whole else stream.symbols[0])

    def _on_facts(self, facts: list[Fact]) -> None:
        if self.streams:
            self._liquidations.extend(fact for fact in facts if fact["t"] == "liquidation")

    def _force_order(self, stream: Stream, now: float) -> None:
        for fact in self._liquidations:
            symbol = BY_SYMBOL.get(fact["position"]["symbol"])
            if symbol is None or symbol not in stream.symbols:
                continue
            amount = Decimal(fact["position"]["qty"])
            at_price = price(self._exchange.engine.index_price[symbol.instrument.symbol], symbol.instrument)
            size = qty(abs(amount), symbol.instrument)
            order = {
                "s": symbol.id,
                "S": "SELL" if amount > 0 else "BUY",
                "o": "LIMIT",
                "f": "IOC",
                "q": size,
                "p": at_price,
                "ap": at_price,
            }
            order.update({"X": "FILLED", "l": size, "z": size})
            self._send(stream, {"e": "forceOrder", "E": ms(now), "o": {**order, "T": ms(fact["at"])}}, None)


def _difference(before: Levels, after: Levels) -> Levels:
    """Return changed levels; a level that is gone has quantity 0."""
    out = {level: amount for level, amount in after.items() if before.get(level) != amount}
    out.update({level: ZERO for level in before if level not in after})
    return out
