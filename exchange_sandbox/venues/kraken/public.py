"""Kraken's public REST endpoints."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...candles import Candle
from ...market import Market
from ...money import ZERO, fixed
from ...seen import Seen
from .errors import KrakenError
from .forms import asset_info, candle_row, pair_info
from .instruments import ASSETS, BY_SYMBOL, Pair, find_asset, find_pair

if TYPE_CHECKING:
    from ...core import Exchange

Params = dict[str, Any]
DAY_S = 86_400


class Public:
    """Answers without a key."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.endpoints: dict[str, Callable[[Seen, Params], Any]] = {
            "Time": self._time,
            "SystemStatus": self._status,
            "Assets": self._assets,
            "AssetPairs": self._pairs,
            "Ticker": self._ticker,
            "OHLC": self._ohlc,
            "Depth": self._depth,
            "Trades": self._trades,
            "Spread": self._spread,
        }

    def now(self, seen: Seen) -> float:
        """Return the time the venue shows (with a clock-skew cruelty: a wrong one)."""
        return seen.at + sum(float(item.params["seconds"]) for item in self._exchange.cruelties_of("clock_skew", None, seen.source))

    def system_status(self) -> str:
        """Return online, maintenance, cancel_only or post_only: the worst that holds for all pairs."""
        words = {market.status for market in self._exchange.markets.by_symbol.values()}
        return words.pop() if len(words) == 1 and words <= {"maintenance", "cancel_only", "post_only"} else "online"

    def _time(self, seen: Seen, params: Params) -> Any:
        now = self.now(seen)
        return {"unixtime": int(now), "rfc1123": datetime.fromtimestamp(now, UTC).strftime("%a, %d %b %y %H:%M:%S +0000")}

    def _status(self, seen: Seen, params: Params) -> Any:
        return {"status": self.system_status(), "timestamp": datetime.fromtimestamp(self.now(seen), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _assets(self, seen: Seen, params: Params) -> Any:
        wanted = str(params.get("asset", ""))
        if not wanted:
            return {asset_id: asset_info(asset_id) for asset_id in ASSETS}
        out = {}
        for name in wanted.split(","):
            asset_id = find_asset(name)
            if asset_id is None:
                raise KrakenError("EQuery:Unknown asset")
            out[asset_id] = asset_info(asset_id)
        return out

    def configured(self) -> list[Pair]:
        """Return the pairs this sandbox runs, without delisted ones."""
        markets = self._exchange.markets.by_symbol
        return [pair for symbol, pair in BY_SYMBOL.items() if symbol in markets and markets[symbol].status != "delisted"]

    def _asked(self, params: Params, needed: bool = False) -> list[Pair]:
        wanted = str(params.get("pair", ""))
        if not wanted:
            if needed:
                raise KrakenError("EGeneral:Invalid arguments")
            return self.configured()
        pairs = [find_pair(name[:32]) for name in wanted.split(",")[:100]]
        known = self.configured()
        if any(pair is None or pair not in known for pair in pairs):
            raise KrakenError("EQuery:Unknown asset pair")
        return [pair for pair in pairs if pair is not None]

    def _market(self, pair: Pair) -> Market:
        return self._exchange.markets.by_symbol[pair.instrument.symbol]

    def _one(self, seen: Seen, params: Params) -> tuple[Pair, Market]:
        pair = self._asked(params, needed=True)[0]
        market = self._market(pair)
        self._exchange.judge.delivered(seen.source, pair.instrument.symbol, market.as_of)
        return pair, market

    def _pairs(self, seen: Seen, params: Params) -> Any:
        return {pair.id: pair_info(pair, self._market(pair).status) for pair in self._asked(params)}

    def _ticker(self, seen: Seen, params: Params) -> Any:
        out = {}
        for pair in self._asked(params):
            market = self._market(pair)
            self._exchange.judge.delivered(seen.source, pair.instrument.symbol, market.as_of)
            out[pair.id] = self.ticker(pair, market, seen.at)
        return out

    def ticker(self, pair: Pair, market: Market, now: float) -> dict[str, Any]:
        """One entry of Ticker."""
        item = pair.instrument
        book = self._exchange.engine.books[item.symbol]
        last = market.trades[-1] if market.trades else None
        price = last.price if last else self._exchange.engine.last_price[item.symbol]
        midnight = int(now // DAY_S) * DAY_S
        day = [candle for candle in market.candles.get(1) if candle.start >= now - DAY_S]
        today = [candle for candle in day if candle.start >= midnight] or day[-1:]

        def row(side: list[tuple[Decimal, Decimal]]) -> list[str]:
            best, total = side[0] if side else (ZERO, ZERO)
            return [fixed(best, item.price_decimals), str(int(total)), fixed(total, 3)]

        def pick(candles: list[Candle], what: str) -> Decimal:
            if not candles:
                return price
            volume = sum((candle.volume for candle in candles), ZERO)
            return {
                "v": volume,
                "p": sum((candle.turnover for candle in candles), ZERO) / volume if volume else price,
                "l": min(candle.low for candle in candles),
                "h": max(candle.high for candle in candles),
            }[what]

        def two(what: str, decimals: int) -> list[str]:
            return [fixed(pick(today, what), decimals), fixed(pick(day, what), decimals)]

        return {
            "a": row(book.asks.depth(1)),
            "b": row(book.bids.depth(1)),
            "c": [fixed(price, item.price_decimals), fixed(last.qty if last else ZERO, 8)],
            "v": two("v", 8),
            "p": two("p", item.price_decimals),
            "t": [sum(candle.count for candle in today), sum(candle.count for candle in day)],
            "l": two("l", item.price_decimals),
            "h": two("h", item.price_decimals),
            "o": fixed(today[0].open if today else price, item.price_decimals),
        }

    def _ohlc(self, seen: Seen, params: Params) -> Any:
        pair, market = self._one(seen, params)
        try:
            interval, since = int(params.get("interval", 1)), params.get("since")
            start = None if since in (None, "") else int(float(str(since)))
        except (ValueError, OverflowError):
            raise KrakenError("EGeneral:Invalid arguments") from None
        if interval not in (1, 5, 15, 30, 60, 240, 1440, 10080, 21600):
            raise KrakenError("EGeneral:Invalid arguments")
        candles = market.candles.get(interval, start)
        last = candles[-2].start if len(candles) > 1 else (candles[-1].start if candles else int(seen.at))
        return {pair.id: [candle_row(candle, pair) for candle in candles], "last": last}

    def _depth(self, seen: Seen, params: Params) -> Any:
        pair, market = self._one(seen, params)
        try:
            count = int(params.get("count", 100))
        except ValueError:
            raise KrakenError("EGeneral:Invalid arguments:count") from None
        if not 1 <= count <= 500:
            raise KrakenError("EGeneral:Invalid arguments:count")
        book = self._exchange.engine.books[pair.instrument.symbol]
        item, stamp = pair.instrument, int(market.as_of)
        return {
            pair.id: {
                name: [[fixed(price, item.price_decimals), fixed(qty, 3), stamp] for price, qty in side.depth(count)]
                for name, side in (("asks", book.asks), ("bids", book.bids))
            }
        }

    def _trades(self, seen: Seen, params: Params) -> Any:
        pair, market = self._one(seen, params)
        try:
            count = min(1_000, max(1, int(params.get("count", 1_000))))
            since = int(float(str(params.get("since") or 0)))
        except (ValueError, OverflowError):
            raise KrakenError("EGeneral:Invalid arguments:since") from None
        # Seconds and nanoseconds are both accepted, as the venue does.
        after = since / 1e9 if since > 10**12 else float(since)
        rows = [trade for trade in market.trades if trade.at > after]
        rows = rows[:count] if since else rows[-count:]
        item = pair.instrument
        last = str(int(rows[-1].at * 1e9)) if rows else str(since or int(seen.at * 1e9))
        return {
            pair.id: [
                [
                    fixed(trade.price, item.price_decimals),
                    fixed(trade.qty, 8),
                    round(trade.at, 7),
                    trade.side[0],
                    trade.kind[0],
                    "",
                    trade.id,
                ]
                for trade in rows
            ],
            "last": last,
        }

    def _spread(self, seen: Seen, params: Params) -> Any:
        pair, market = self._one(seen, params)
        book, item = self._exchange.engine.books[pair.instrument.symbol], pair.instrument
        best = [fixed(side.best() or ZERO, item.price_decimals) for side in (book.bids, book.asks)]
        return {pair.id: [[int(market.as_of), *best]], "last": int(market.as_of)}
