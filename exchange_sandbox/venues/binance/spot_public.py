"""Binance spot's public endpoints."""

from __future__ import annotations

from typing import Any

from ...money import ZERO
from .call import Call, Endpoint
from .instruments import Symbol
from .market_data import MarketData
from .wire import eight, ms, price

ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
STP_MODES = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
MOST_ORDERS, MOST_ALGO_ORDERS = 200, 5
#: how far a limit price may lie from the last price, as factors
PRICE_UP, PRICE_DOWN = 5, "0.2"


class SpotPublic:
    """exchangeInfo and market data under /api/v3."""

    def __init__(self, data: MarketData) -> None:
        self._data = data

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        data, base = self._data, "/api/v3/"
        table = {
            "ping": Endpoint(data.ping),
            "time": Endpoint(data.time),
            "exchangeInfo": Endpoint(self.info, weight=20),
            "depth": Endpoint(data.depth, weight=5),
            "trades": Endpoint(data.trades, weight=25),
            "historicalTrades": Endpoint(data.trades, weight=25),
            "aggTrades": Endpoint(data.agg_trades, weight=4),
            "klines": Endpoint(data.klines, weight=2),
            "uiKlines": Endpoint(data.klines, weight=2),
            "avgPrice": Endpoint(self.average, weight=2),
            "ticker/24hr": Endpoint(data.ticker_24h, weight=-2),
            "ticker/price": Endpoint(data.ticker_price, weight=2),
            "ticker/bookTicker": Endpoint(data.book_ticker, weight=2),
        }
        return {("GET", base + name): endpoint for name, endpoint in table.items()}

    def average(self, call: Call) -> Any:
        symbol = call.symbol()
        call.delivered(symbol)
        rows = self._data.market(symbol).candles.get(1)[-5:]
        volume = sum((row.volume for row in rows), ZERO)
        value = (
            sum((row.turnover for row in rows), ZERO) / volume
            if volume
            else self._data.exchange.engine.last_price[symbol.instrument.symbol]
        )
        return {"mins": 5, "price": price(value, symbol.instrument), "closeTime": ms(call.now)}

    def info(self, call: Call) -> Any:
        if call.params.get("symbol") or call.params.get("symbols"):
            chosen, _ = self._data.each(call)
        else:
            chosen = self._data.symbols("binance")
        weights = self._data.limits.weights
        return {
            "timezone": "UTC",
            "serverTime": ms(call.now),
            "rateLimits": [
                {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weights["spot"]},
                {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
                {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
            ],
            "exchangeFilters": [],
            "symbols": [self._symbol(item, call.status(item)) for item in chosen],
        }

    @staticmethod
    def _symbol(symbol: Symbol, status: str) -> dict[str, Any]:
        item = symbol.instrument
        return {
            "symbol": symbol.id,
            "status": {"online": "TRADING", "post_only": "TRADING", "limit_only": "TRADING"}.get(status, "BREAK"),
            "baseAsset": symbol.base,
            "baseAssetPrecision": 8,
            "quoteAsset": symbol.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": False,
            "ocoAllowed": True,
            "otoAllowed": False,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": True,
            "cancelReplaceAllowed": True,
            "amendAllowed": False,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": eight(item.tick), "maxPrice": "1000000.00000000", "tickSize": eight(item.tick)},
                {"filterType": "LOT_SIZE", "minQty": eight(item.min_qty), "maxQty": eight(symbol.max_qty), "stepSize": eight(item.lot)},
                {"filterType": "ICEBERG_PARTS", "limit": 10},
                {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": eight(symbol.max_market_qty), "stepSize": "0.00000000"},
                {
                    "filterType": "TRAILING_DELTA",
                    "minTrailingAboveDelta": 10,
                    "maxTrailingAboveDelta": 2000,
                    "minTrailingBelowDelta": 10,
                    "maxTrailingBelowDelta": 2000,
                },
                {
                    "filterType": "PERCENT_PRICE_BY_SIDE",
                    "bidMultiplierUp": str(PRICE_UP),
                    "bidMultiplierDown": PRICE_DOWN,
                    "askMultiplierUp": str(PRICE_UP),
                    "askMultiplierDown": PRICE_DOWN,
                    "avgPriceMins": 5,
                },
                {
                    "filterType": "NOTIONAL",
                    "minNotional": eight(item.min_notional),
                    "applyMinToMarket": True,
                    "maxNotional": "9000000.00000000",
                    "applyMaxToMarket": False,
                    "avgPriceMins": 5,
                },
                {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": MOST_ORDERS},
                {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": MOST_ALGO_ORDERS},
            ],
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": list(STP_MODES),
        }
