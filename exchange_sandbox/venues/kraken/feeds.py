"""Kraken's public streams: what each channel says, encoded once for all who listen."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional, Protocol

from ...candles import INTERVALS, Candle
from ...instruments import Instrument
from ...money import ZERO
from ..connection import frame
from .instruments import ASSETS, BY_SYMBOL
from .wire import Raw, checksum, encode, number, stamp

if TYPE_CHECKING:
    from ...core import Exchange
    from .public import Public

DEPTHS = (10, 25, 100, 500, 1000)
SNAPSHOT_TRADES = 50
Levels = dict[Decimal, Decimal]
#: (channel, symbol, depth or interval)
Topic = tuple[str, str, int]


class Subscriber(Protocol):
    """Who listens to a public topic."""

    def public(self, symbol: str, text: str, kind: str, ready: Optional[bytes] = None) -> None:
        """Take an encoded message about a pair; `kind` is the channel, `ready` the same message as a frame."""


class Feeds:
    """All public topics and their subscribers."""

    def __init__(self, exchange: Exchange, public: Public) -> None:
        self._exchange, self._public = exchange, public
        self.topics: dict[Topic, set[Subscriber]] = {}
        self._books: dict[Topic, tuple[Levels, Levels]] = {}
        self._versions: dict[Topic, int] = {}
        self._best: dict[str, tuple[Any, ...]] = {}
        self._pending: dict[str, list[dict[str, Any]]] = {}
        self._candles: dict[Topic, tuple[int, int]] = {}
        exchange.engine.on_trade.append(self._on_trade)
        exchange.after_beat.append(self.flush)

    def subscribe(self, topic: Topic, who: Subscriber) -> list[str]:
        """Add a listener; returns the snapshot messages, consistent with the updates that follow."""
        channel, symbol, _ = topic
        if channel == "book" and self.topics.get(topic):
            self._flush_book(topic)
        self.topics.setdefault(topic, set()).add(who)
        makers: dict[str, Callable[[Topic], str]] = {
            "book": self._book_snapshot,
            "ticker": self._ticker,
            "trade": self._trade_snapshot,
            "ohlc": self._ohlc_snapshot,
        }
        self._exchange.engine.books[symbol]
        return [makers[channel](topic)]

    def unsubscribe(self, topic: Topic, who: Subscriber) -> bool:
        """Remove a listener; False when it did not listen."""
        listeners = self.topics.get(topic, set())
        if who not in listeners:
            return False
        listeners.discard(who)
        if not listeners:
            self.topics.pop(topic, None)
            self._books.pop(topic, None)
        return True

    def forget(self, who: Subscriber) -> None:
        """Remove a listener from everything."""
        for topic in [topic for topic, listeners in self.topics.items() if who in listeners]:
            self.unsubscribe(topic, who)

    def flush(self) -> None:
        """Say what has changed since the last time."""
        for topic in list(self.topics):
            channel, symbol, _ = topic
            if channel == "book":
                self._flush_book(topic)
            elif channel == "ticker":
                self._flush_ticker(topic)
            elif channel == "trade" and self._pending.get(symbol):
                self._send(topic, encode({"channel": "trade", "type": "update", "data": self._pending[symbol]}))
            elif channel == "ohlc":
                self._flush_candle(topic)
        self._pending.clear()

    def _send(self, topic: Topic, text: str) -> None:
        ready = frame(text)
        for listener in list(self.topics.get(topic, ())):
            listener.public(topic[1], text, topic[0], ready)

    # -- book ----------------------------------------------------------------------------------------------------------

    def _levels(self, topic: Topic) -> tuple[Levels, Levels]:
        book = self._exchange.engine.books[topic[1]]
        return dict(book.bids.depth(topic[2])), dict(book.asks.depth(topic[2]))

    def _book_snapshot(self, topic: Topic) -> str:
        bids, asks = self._books[topic] = self._levels(topic)
        return self._book_message(topic, "snapshot", bids, asks, bids, asks)

    def _flush_book(self, topic: Topic) -> None:
        version = self._exchange.engine.books[topic[1]].version
        if self._versions.get(topic) == version and topic in self._books:
            return
        self._versions[topic] = version
        old, new = self._books.get(topic, ({}, {})), self._levels(topic)
        self._books[topic] = new
        changes = [_difference(before, after) for before, after in zip(old, new, strict=True)]
        if changes[0] or changes[1]:
            self._send(topic, self._book_message(topic, "update", changes[0], changes[1], *new))

    def _book_message(self, topic: Topic, kind: str, bids: Levels, asks: Levels, all_bids: Levels, all_asks: Levels) -> str:
        item = self._exchange.engine.instruments[topic[1]]

        def rows(levels: Levels) -> list[dict[str, Raw]]:
            return [{"price": number(price, item.price_decimals), "qty": number(qty, item.lot_decimals)} for price, qty in levels.items()]

        def texts(levels: Levels) -> list[tuple[str, str]]:
            first = list(levels.items())[:10]
            return [(number(price, item.price_decimals), number(qty, item.lot_decimals)) for price, qty in first]

        data: dict[str, Any] = {
            "symbol": topic[1],
            "bids": rows(bids),
            "asks": rows(asks),
            "checksum": checksum(texts(all_asks), texts(all_bids)),
        }
        if kind == "update":
            data["timestamp"] = stamp(self._exchange.markets.by_symbol[topic[1]].as_of)
        return encode({"channel": "book", "type": kind, "data": [data]})

    # -- ticker, trades, candles ---------------------------------------------------------------------------------------

    def _ticker(self, topic: Topic, kind: str = "snapshot") -> str:
        symbol = topic[1]
        pair, market = BY_SYMBOL[symbol], self._exchange.markets.by_symbol[symbol]
        row = self._public.ticker(pair, market, self._exchange.clock.now())
        book = self._exchange.engine.books[symbol]
        (bid, bid_qty), (ask, ask_qty) = (side.depth(1)[0] if side.depth(1) else (ZERO, ZERO) for side in (book.bids, book.asks))
        item = pair.instrument
        change = Decimal(row["c"][0]) - Decimal(row["o"])
        data = {
            "symbol": symbol,
            "bid": number(bid, item.price_decimals),
            "bid_qty": number(bid_qty, item.lot_decimals),
            "ask": number(ask, item.price_decimals),
            "ask_qty": number(ask_qty, item.lot_decimals),
            "last": Raw(row["c"][0]),
            "volume": Raw(row["v"][1]),
            "vwap": Raw(row["p"][1]),
            "low": Raw(row["l"][1]),
            "high": Raw(row["h"][1]),
            "change": number(change, item.price_decimals),
            "change_pct": number(change / Decimal(row["o"]) * 100 if Decimal(row["o"]) else ZERO, 2),
            "timestamp": stamp(market.as_of),
        }
        return encode({"channel": "ticker", "type": kind, "data": [data]})

    def _flush_ticker(self, topic: Topic) -> None:
        book, market = self._exchange.engine.books[topic[1]], self._exchange.markets.by_symbol[topic[1]]
        state = (book.bids.depth(1), book.asks.depth(1), market.trades[-1].id if market.trades else 0)
        if self._best.get(topic[1]) != state:
            self._best[topic[1]] = state
            self._send(topic, self._ticker(topic, "update"))

    def _on_trade(self, symbol: str, price: Decimal, qty: Decimal, side: str, kind: str, at: float, trade_id: int) -> None:
        if any(topic[0] == "trade" and topic[1] == symbol for topic in self.topics):
            row = _trade(self._exchange.engine.instruments[symbol], price, qty, side, kind, at, trade_id)
            self._pending.setdefault(symbol, []).append(row)

    def _trade_snapshot(self, topic: Topic) -> str:
        item = self._exchange.engine.instruments[topic[1]]
        trades = list(self._exchange.markets.by_symbol[topic[1]].trades)[-SNAPSHOT_TRADES:]
        rows = [_trade(item, row.price, row.qty, row.side, row.kind, row.at, row.id) for row in trades]
        return encode({"channel": "trade", "type": "snapshot", "data": rows})

    def _candle(self, item: Instrument, candle: Candle, interval: int) -> dict[str, Any]:
        def price(value: Decimal) -> Raw:
            return number(value, item.price_decimals)

        return {
            "symbol": item.symbol,
            "open": price(candle.open),
            "high": price(candle.high),
            "low": price(candle.low),
            "close": price(candle.close),
            "trades": candle.count,
            "volume": number(candle.volume, item.lot_decimals),
            "vwap": price(candle.vwap()),
            "interval_begin": stamp(candle.start),
            "interval": interval,
            "timestamp": stamp(candle.start + interval * 60),
        }

    def _ohlc_snapshot(self, topic: Topic) -> str:
        item = self._exchange.engine.instruments[topic[1]]
        candles = self._exchange.markets.by_symbol[topic[1]].candles.get(topic[2])
        return encode({"channel": "ohlc", "type": "snapshot", "data": [self._candle(item, candle, topic[2]) for candle in candles]})

    def _flush_candle(self, topic: Topic) -> None:
        candles = self._exchange.markets.by_symbol[topic[1]].candles.get(topic[2])
        if not candles:
            return
        state = (candles[-1].start, candles[-1].count)
        if self._candles.get(topic) != state:
            self._candles[topic] = state
            row = self._candle(self._exchange.engine.instruments[topic[1]], candles[-1], topic[2])
            self._send(topic, encode({"channel": "ohlc", "type": "update", "data": [row]}))

    # -- reference data ------------------------------------------------------------------------------------------------

    def instruments(self) -> str:
        """The instrument channel's snapshot."""
        names = {asset_id: altname for asset_id, (altname, _, _) in ASSETS.items()}
        assets = [
            {
                "id": _common(names[asset_id]),
                "status": "enabled",
                "precision": ASSETS[asset_id][1],
                "precision_display": ASSETS[asset_id][2],
                "borrowable": False,
                "collateral_value": Raw("0.0"),
                "margin_rate": Raw("0.0"),
            }
            for asset_id in ASSETS
        ]
        pairs = []
        for pair in self._public.configured():
            item = pair.instrument
            pairs.append(
                {
                    "symbol": item.symbol,
                    "base": item.base,
                    "quote": item.quote,
                    "status": self._exchange.markets.by_symbol[item.symbol].status,
                    "qty_precision": item.lot_decimals,
                    "qty_increment": Raw(format(item.lot, "f")),
                    "price_precision": item.price_decimals,
                    "cost_precision": item.cost_decimals,
                    "marginable": bool(pair.leverages),
                    "has_index": True,
                    "cost_min": Raw("0.5"),
                    "price_increment": Raw(format(item.tick, "f")),
                    "qty_min": Raw(format(item.min_qty, "f")),
                }
            )
        return encode({"channel": "instrument", "type": "snapshot", "data": {"assets": assets, "pairs": pairs}})


def _common(altname: str) -> str:
    return "BTC" if altname == "XBT" else altname


def _difference(before: Levels, after: Levels) -> Levels:
    """Return changed levels; a level that is gone has quantity 0."""
    out = {price: qty for price, qty in after.items() if before.get(price) != qty}
    out.update({price: ZERO for price in before if price not in after})
    return out


def _trade(item: Instrument, price: Decimal, qty: Decimal, side: str, kind: str, at: float, trade_id: int) -> dict[str, Any]:
    return {
        "symbol": item.symbol,
        "side": side,
        "price": number(price, item.price_decimals),
        "qty": number(qty, item.lot_decimals),
        "ord_type": kind,
        "trade_id": trade_id,
        "timestamp": stamp(at),
    }


__all__ = ["DEPTHS", "INTERVALS", "Feeds", "Subscriber", "Topic"]
