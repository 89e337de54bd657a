"""Binance's JSON forms of orders and trades."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...money import ZERO, fixed
from ...orders import BUY, Fill, Order
from ...positions import WALLET
from .instruments import BY_SYMBOL
from .order_form import STP_NAMES
from .wire import average, eight, ms, price, qty

if TYPE_CHECKING:
    from ...core import Exchange

_SPOT_TYPES = {
    "market": "MARKET",
    "limit": "LIMIT",
    "stop-loss": "STOP_LOSS",
    "stop-loss-limit": "STOP_LOSS_LIMIT",
    "take-profit": "TAKE_PROFIT",
    "take-profit-limit": "TAKE_PROFIT_LIMIT",
}
_USDM_TYPES = {
    "market": "MARKET",
    "limit": "LIMIT",
    "stop-loss": "STOP_MARKET",
    "stop-loss-limit": "STOP",
    "take-profit": "TAKE_PROFIT_MARKET",
    "take-profit-limit": "TAKE_PROFIT",
    "trailing-stop": "TRAILING_STOP_MARKET",
}
#: the engine's reasons that the venue calls EXPIRED although the engine cancelled
_EXPIRED = ("IOC order cannot be filled", "Insufficient liquidity", "Fill or kill cannot be filled", "Insufficient funds", "Reduce only")


def type_name(order: Order) -> str:
    """Return the venue's word for an order's type as it was sent."""
    if BY_SYMBOL[order.symbol].contract:
        return _USDM_TYPES[order.type]
    return "LIMIT_MAKER" if order.type == "limit" and order.post_only else _SPOT_TYPES[order.type]


def status_name(order: Order) -> str:
    """Return the venue's word for an order's state."""
    if order.status in ("new", "pending", "open"):
        return "PARTIALLY_FILLED" if order.filled else "NEW"
    if order.status == "closed":
        return "FILLED"
    if order.reason == "Self trade prevention":
        return "EXPIRED_IN_MATCH"
    return "EXPIRED" if order.status == "expired" or order.reason in _EXPIRED else "CANCELED"


def tif_name(order: Order) -> str:
    return "GTX" if order.post_only and BY_SYMBOL[order.symbol].contract else order.tif


def updated(exchange: Exchange, order: Order) -> float:
    """Return when the order changed last."""
    if order.closed is not None:
        return order.closed
    if order.filled:
        for fill in reversed(exchange.engine.accounts[order.account].fills):
            if fill.order_id == order.id:
                return fill.at
    return order.created


def fills_of(exchange: Exchange, order: Order) -> list[Fill]:
    """Return an order's fills, oldest first."""
    out = []
    for fill in reversed(exchange.engine.accounts[order.account].fills):
        if fill.order_id == order.id:
            out.append(fill)
        elif fill.at < order.created:
            break
    return out[::-1]


def spot_order(exchange: Exchange, order: Order) -> dict[str, Any]:
    """A spot order as the query endpoints tell it."""
    symbol = BY_SYMBOL[order.symbol]
    last = updated(exchange, order)
    return {
        "symbol": symbol.id,
        "orderId": int(order.id),
        "orderListId": int(order.list_id) if order.list_id else -1,
        "clientOrderId": order.client_id,
        "price": eight(order.limit_price or ZERO),
        "origQty": eight(order.qty),
        "executedQty": eight(order.filled),
        "origQuoteOrderQty": eight(ZERO),
        "cummulativeQuoteQty": eight(order.cost),
        "status": status_name(order),
        "timeInForce": order.tif,
        "type": type_name(order),
        "side": order.side.upper(),
        "stopPrice": eight(order.stop_price or ZERO),
        "icebergQty": eight(ZERO),
        "time": ms(order.created),
        "updateTime": ms(last),
        "isWorking": order.status != "pending",
        "workingTime": -1 if order.status == "pending" else ms(order.created),
        "selfTradePreventionMode": STP_NAMES[order.stp],
    }


def spot_result(exchange: Exchange, order: Order, kind: str) -> dict[str, Any]:
    """The answer to a new spot order: ACK, RESULT or FULL."""
    whole = spot_order(exchange, order)
    out = {name: whole[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId")}
    out["transactTime"] = whole["updateTime"]
    if kind == "ACK":
        return out
    for name in ("price", "origQty", "executedQty", "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side"):
        out[name] = whole[name]
    if order.stop_price is not None:
        out["stopPrice"] = whole["stopPrice"]
    out.update({"workingTime": whole["workingTime"], "selfTradePreventionMode": whole["selfTradePreventionMode"]})
    if kind == "FULL":
        out["fills"] = [
            {
                "price": eight(fill.price),
                "qty": eight(fill.qty),
                "commission": eight(fill.fee),
                "commissionAsset": fill.fee_asset or BY_SYMBOL[fill.symbol].quote,
                "tradeId": fill.trade_id,
            }
            for fill in fills_of(exchange, order)
        ]
    return out


def spot_trade(fill: Fill) -> dict[str, Any]:
    """One row of myTrades."""
    symbol = BY_SYMBOL[fill.symbol]
    return {
        "symbol": symbol.id,
        "id": fill.trade_id,
        "orderId": int(fill.order_id),
        "orderListId": -1,
        "price": eight(fill.price),
        "qty": eight(fill.qty),
        "quoteQty": eight(fill.cost),
        "commission": eight(fill.fee),
        "commissionAsset": fill.fee_asset or symbol.quote,
        "time": ms(fill.at),
        "isBuyer": fill.side == BUY,
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def um_order(exchange: Exchange, order: Order) -> dict[str, Any]:
    """A futures order. What began as a conditional order is told with the type it became."""
    symbol = BY_SYMBOL[order.symbol]
    item = symbol.instrument
    became = {
        "stop-loss": "MARKET",
        "take-profit": "MARKET",
        "trailing-stop": "MARKET",
        "stop-loss-limit": "LIMIT",
        "take-profit-limit": "LIMIT",
    }
    return {
        "orderId": int(order.id),
        "symbol": symbol.id,
        "status": status_name(order),
        "clientOrderId": order.client_id,
        "price": price(order.limit_price or ZERO, item),
        "avgPrice": average(order.cost, order.filled, item),
        "origQty": qty(order.qty, item),
        "executedQty": qty(order.filled, item),
        "cumQty": qty(order.filled, item),
        "cumQuote": fixed(order.cost, 5),
        "timeInForce": tif_name(order),
        "type": became.get(order.type, type_name(order)),
        "reduceOnly": order.reduce_only,
        "closePosition": order.close_position,
        "side": order.side.upper(),
        "positionSide": order.position_side or "BOTH",
        "stopPrice": price(ZERO, item),
        "workingType": "MARK_PRICE" if order.trigger == "index" else "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "selfTradePreventionMode": STP_NAMES[order.stp],
        "goodTillDate": ms(order.expire_at) if order.expire_at else 0,
        "priceProtect": False,
        "origType": type_name(order),
        "time": ms(order.created),
        "updateTime": ms(updated(exchange, order)),
    }


def um_trade(fill: Fill) -> dict[str, Any]:
    """One row of userTrades."""
    symbol = BY_SYMBOL[fill.symbol]
    return {
        "symbol": symbol.id,
        "id": fill.trade_id,
        "orderId": int(fill.order_id),
        "side": fill.side.upper(),
        "price": price(fill.price, symbol.instrument),
        "qty": qty(fill.qty, symbol.instrument),
        "realizedPnl": eight(fill.realized),
        "quoteQty": eight(fill.cost),
        "commission": eight(fill.fee),
        "commissionAsset": symbol.instrument.quote.removeprefix(WALLET),
        "time": ms(fill.at),
        "positionSide": fill.position_side or "BOTH",
        "buyer": fill.side == BUY,
        "maker": fill.maker,
    }


def algo_order(exchange: Exchange, order: Order) -> dict[str, Any]:
    """A conditional futures order as the algo endpoints tell it."""
    symbol = BY_SYMBOL[order.symbol]
    item = symbol.instrument
    out: dict[str, Any] = {
        "algoId": int(order.id),
        "clientAlgoId": order.client_id,
        "algoType": "CONDITIONAL",
        "orderType": type_name(order),
        "symbol": symbol.id,
        "side": order.side.upper(),
        "positionSide": order.position_side or "BOTH",
        "timeInForce": tif_name(order),
        "quantity": qty(order.qty, item),
        "algoStatus": algo_status(order),
        "actualOrderId": order.id if order.triggered else "",
        "actualPrice": average(order.cost, order.filled, item) if order.triggered else "0.00000",
        "triggerPrice": price(order.stop_price or ZERO, item),
        "price": price(order.limit_price or ZERO, item),
        "icebergQuantity": None,
        "tpTriggerPrice": price(ZERO, item),
        "tpPrice": price(ZERO, item),
        "slTriggerPrice": price(ZERO, item),
        "slPrice": price(ZERO, item),
        "tpOrderType": "",
        "selfTradePreventionMode": STP_NAMES[order.stp],
        "workingType": "MARK_PRICE" if order.trigger == "index" else "CONTRACT_PRICE",
        "priceMatch": "NONE",
        "closePosition": order.close_position,
        "priceProtect": False,
        "reduceOnly": order.reduce_only,
        "createTime": ms(order.created),
        "updateTime": ms(updated(exchange, order)),
        "triggerTime": ms(updated(exchange, order)) if order.triggered else 0,
        "goodTillDate": ms(order.expire_at) if order.expire_at else 0,
    }
    if order.trail_rate is not None:
        out["callbackRate"] = fixed(order.trail_rate * 100, 1)
        out["activatePrice"] = price(order.activation or ZERO, item)
    return out


def algo_status(order: Order) -> str:
    if order.status == "pending":
        return "NEW"
    if order.triggered:
        return "FINISHED" if not order.is_open else "TRIGGERED"
    return "EXPIRED" if order.status == "expired" else "CANCELED"
