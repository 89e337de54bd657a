"""Binance USD-M futures' public endpoints."""

from __future__ import annotations

from typing import Any

from ...margin import FUNDING_S
from ...money import ZERO, fixed
from .call import Call, Endpoint
from .instruments import Symbol
from .market_data import MarketData, candles_of
from .wire import ms, qty

ORDER_TYPES = ("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIFS = ("GTC", "IOC", "FOK", "GTX", "GTD")
MOST_ORDERS, MOST_ALGO_ORDERS = 200, 10
#: how far a limit price may lie from the mark price, as factors
PRICE_UP, PRICE_DOWN = "1.1500", "0.8500"
#: perpetuals list this as their end, and this as their beginning
NEVER_MS, ONBOARD_MS = 4_133_404_800_000, 1_569_398_400_000


class UmPublic:
    """exchangeInfo and market data under /fapi/v1; /dapi answers that it has no symbols."""

    def __init__(self, data: MarketData) -> None:
        self._data = data

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        data = self._data
        table = {
            "v1/ping": Endpoint(data.ping),
            "v1/time": Endpoint(data.time),
            "v1/exchangeInfo": Endpoint(self.info),
            "v1/depth": Endpoint(data.depth, weight=5),
            "v1/trades": Endpoint(data.trades, weight=5),
            "v1/historicalTrades": Endpoint(data.trades, weight=20),
            "v1/aggTrades": Endpoint(data.agg_trades, weight=20),
            "v1/klines": Endpoint(data.klines, weight=5),
            "v1/markPriceKlines": Endpoint(self.mark_klines, weight=5),
            "v1/indexPriceKlines": Endpoint(self.mark_klines, weight=5),
            "v1/ticker/24hr": Endpoint(data.ticker_24h, weight=-1),
            "v1/ticker/price": Endpoint(data.ticker_price, weight=2),
            "v2/ticker/price": Endpoint(data.ticker_price, weight=2),
            "v1/ticker/bookTicker": Endpoint(data.book_ticker, weight=2),
            "v1/premiumIndex": Endpoint(self.premium, weight=10),
            "v1/fundingRate": Endpoint(self.funding_rate),
            "v1/fundingInfo": Endpoint(self.funding_info),
            "v1/openInterest": Endpoint(self.open_interest),
        }
        out = {("GET", "/fapi/" + name): endpoint for name, endpoint in table.items()}
        out["GET", "/dapi/v1/exchangeInfo"] = Endpoint(lambda call: {**self.info(call), "symbols": []})
        return out

    def info(self, call: Call) -> Any:
        chosen = self._data.symbols("binance_usdm")
        return {
            "timezone": "UTC",
            "serverTime": ms(call.now),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self._data.limits.weights["usdm"]},
                {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
            ],
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [self._symbol(item, call.status(item)) for item in chosen],
        }

    @staticmethod
    def _symbol(symbol: Symbol, status: str) -> dict[str, Any]:
        item = symbol.instrument
        assert item.contract is not None
        first = item.contract.brackets[0]
        tick, lot = format(item.tick, "f"), format(item.lot, "f")
        return {
            "symbol": symbol.id,
            "pair": symbol.id,
            "contractType": "PERPETUAL",
            "deliveryDate": NEVER_MS,
            "onboardDate": ONBOARD_MS,
            "status": {"online": "TRADING", "post_only": "TRADING", "limit_only": "TRADING"}.get(status, "SETTLING"),
            "maintMarginPercent": fixed(first.maintenance * 100, 4),
            "requiredMarginPercent": "5.0000",
            "baseAsset": symbol.base,
            "quoteAsset": symbol.quote,
            "marginAsset": "USDT",
            "pricePrecision": item.price_decimals,
            "quantityPrecision": item.lot_decimals,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "triggerProtect": "0.0500",
            "liquidationFee": fixed(item.contract.liquidation_fee, 6),
            "marketTakeBound": "0.05",
            "maxMoveOrderLimit": 10000,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": format(symbol.max_qty, "f"), "stepSize": lot},
                {"filterType": "MARKET_LOT_SIZE", "minQty": lot, "maxQty": format(symbol.max_market_qty, "f"), "stepSize": lot},
                {"filterType": "MAX_NUM_ORDERS", "limit": MOST_ORDERS},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": MOST_ALGO_ORDERS},
                {"filterType": "MIN_NOTIONAL", "notional": format(item.min_notional, "f")},
                {"filterType": "PERCENT_PRICE", "multiplierUp": PRICE_UP, "multiplierDown": PRICE_DOWN, "multiplierDecimal": "4"},
            ],
            "orderTypes": list(ORDER_TYPES),
            "timeInForce": list(TIFS),
        }

    def mark_klines(self, call: Call) -> Any:
        """Candles of the mark price. The house quotes around the mark, so its candles are the trades' without volume."""
        if call.params.get("pair") and not call.params.get("symbol"):
            call.params["symbol"] = call.params["pair"]
        return [[*row[:5], "0", row[6], "0", row[8], "0", "0", "0"] for row in self._data.klines(call)]

    def premium(self, call: Call) -> Any:
        chosen, one = self._data.each(call)
        rows = [self.premium_row(item, call.now) for item in chosen]
        return rows[0] if one else rows

    def premium_row(self, symbol: Symbol, now: float) -> dict[str, Any]:
        """Mark price, index price and the next funding of a symbol."""
        engine, item = self._data.exchange.engine, symbol.instrument
        mark = fixed(engine.index_price[item.symbol], 8)
        return {
            "symbol": symbol.id,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": fixed(engine.margin.rate(item), 8),
            "interestRate": "0.00010000",
            "nextFundingTime": ms(engine.margin.next_funding(now)),
            "time": ms(now),
        }

    def funding_rate(self, call: Call) -> Any:
        """Past fundings: those charged here, and before the sandbox ran the rate of calm hours at the price of the candle then."""
        symbol = call.symbol_or_none()
        start, end = call.integer("startTime"), call.integer("endTime")
        margin, out = self._data.exchange.engine.margin, []
        last = int(call.now // FUNDING_S) * FUNDING_S
        count = call.limit(100, 1000)
        for item in [symbol] if symbol is not None else self._data.symbols("binance_usdm"):
            rows = {row.start: row for row in candles_of(self._data.market(item), "1h")}
            for moment in range(last - (count - 1) * FUNDING_S, last + 1, FUNDING_S):
                if (start is not None and moment * 1000 < start) or (end is not None and moment * 1000 > end):
                    continue
                row, charged = rows.get(moment), margin.charged.get((item.instrument.symbol, moment))
                calm = item.instrument.contract.funding_rate if item.instrument.contract is not None else ZERO
                rate, mark = charged or (calm, row.open if row else item.instrument.start_price)
                out.append(
                    {
                        "symbol": item.id,
                        "fundingTime": moment * 1000,
                        "fundingRate": fixed(rate, 8),
                        "markPrice": fixed(mark, 8),
                    }
                )
        return out[-count:]

    def funding_info(self, call: Call) -> Any:
        """The venue lists here only symbols whose funding was changed from the rule; there are none."""
        return []

    def open_interest(self, call: Call) -> Any:
        symbol = call.symbol()
        engine = self._data.exchange.engine
        amount = sum((abs(account.futures.net(symbol.instrument.symbol)) for account in engine.accounts.values()), ZERO)
        return {"symbol": symbol.id, "openInterest": qty(amount, symbol.instrument), "time": ms(call.now)}
