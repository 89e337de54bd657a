"""Kraken's JSON forms of orders, trades, balances and candles."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ...accounts import LedgerEntry
from ...candles import Candle
from ...lending import ROLLOVER_RATE, Loan
from ...money import ROUND_DOWN, ZERO, fixed
from ...orders import LIQUIDATION, Fill, Order
from .instruments import ASSET_IDS, ASSETS, BY_SYMBOL, PAIRS, TAKER, Pair

_FEES = {"fees": [[limit, float(fee)] for limit, fee in TAKER]}


def pair_info(pair: Pair, status: str) -> dict[str, Any]:
    """One entry of AssetPairs."""
    item = pair.instrument
    return {
        "altname": pair.altname,
        "wsname": pair.wsname,
        "aclass_base": "currency",
        "base": pair.base,
        "aclass_quote": "currency",
        "quote": pair.quote,
        "lot": "unit",
        "cost_decimals": item.cost_decimals,
        "pair_decimals": item.price_decimals,
        "lot_decimals": item.lot_decimals,
        "lot_multiplier": 1,
        "leverage_buy": list(pair.leverages),
        "leverage_sell": list(pair.leverages),
        **_FEES,
        "fees_maker": [[limit, float(fee)] for limit, fee in item.maker_fees],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": fixed(item.min_qty, max(0, item.lot_decimals)).rstrip("0").rstrip(".")
        if item.min_qty != item.min_qty.to_integral_value()
        else fixed(item.min_qty, 0),
        "costmin": "0.5",
        "tick_size": format(item.tick, "f"),
        "status": status,
    }


def asset_info(asset_id: str) -> dict[str, Any]:
    """One entry of Assets."""
    altname, decimals, display = ASSETS[asset_id]
    return {
        "aclass": "currency",
        "altname": altname,
        "decimals": decimals,
        "display_decimals": display,
        "collateral_value": 1.0,
        "status": "enabled",
    }


def describe(order: Order, pair: Pair) -> str:
    """The sentence in descr.order, which clients parse."""
    item = pair.instrument
    head = "%s %s %s @ " % (order.side, fixed(order.qty, item.lot_decimals, ROUND_DOWN), pair.altname)
    limit = "" if order.limit_price is None else fixed(order.limit_price, item.price_decimals)
    stop = "" if order.stop_price is None else fixed(order.stop_price, item.price_decimals)
    tail = " with %d:1 leverage" % order.leverage if order.leverage else ""
    if order.type in ("market", "settle-position"):
        return head + order.type.replace("-", " ") + tail
    if order.type == "limit":
        return head + "limit " + limit + tail
    name = order.type.replace("-limit", "").replace("-", " ")
    shown = "+%s" % fixed(order.trail, item.price_decimals) if order.trail is not None else stop
    return head + "%s %s" % (name, shown) + (" -> limit %s" % limit if order.type.endswith("-limit") else "") + tail


def describe_close(close: dict[str, str] | None) -> str:
    """The sentence in descr.close."""
    if not close:
        return ""
    return "close position @ %s %s" % (close["ordertype"].replace("-", " "), close["price"]) + (
        " -> limit %s" % close["price2"] if "price2" in close else ""
    )


def order_info(order: Order, trades: list[str] | None = None) -> dict[str, Any]:
    """One entry of OpenOrders, ClosedOrders, QueryOrders."""
    pair = BY_SYMBOL[order.symbol]
    item = pair.instrument
    stop_first = order.is_stop
    price = order.stop_price if stop_first else order.limit_price
    average = order.cost / order.filled if order.filled else ZERO
    info: dict[str, Any] = {
        "refid": order.parent,
        "userref": order.user_ref if order.user_ref is not None else 0,
        "status": order.status,
        "opentm": round(order.created, 4),
        "starttm": 0,
        "expiretm": 0 if order.expire_at is None else int(order.expire_at),
        "descr": {
            "pair": pair.altname,
            "aclass": "forex",
            "type": order.side,
            "ordertype": order.type,
            "price": fixed(price or ZERO, item.price_decimals),
            "price2": fixed(order.limit_price, item.price_decimals) if stop_first and order.limit_price is not None else "0",
            "leverage": "%d:1" % order.leverage if order.leverage else "none",
            "order": describe(order, pair),
            "close": describe_close(order.close),
        },
        "vol": fixed(order.qty, item.lot_decimals),
        "vol_exec": fixed(order.filled, item.lot_decimals),
        "cost": fixed(order.cost, item.cost_decimals),
        "fee": fixed(order.fee, item.cost_decimals),
        "price": fixed(average, item.price_decimals),
        "stopprice": fixed(order.stop_price or ZERO, item.price_decimals),
        "limitprice": fixed(order.limit_price if stop_first and order.triggered and order.limit_price else ZERO, item.price_decimals),
        "misc": "liquidated" if order.flags == LIQUIDATION else "",
        "oflags": "fciq" if order.flags == LIQUIDATION else order.flags,
        "trigger": order.trigger,
    }
    if order.leverage:
        info["margin"], info["reduce_only"] = True, order.reduce_only
    if order.client_id is not None:
        info["cl_ord_id"] = order.client_id
    if not order.is_open:
        info.update({"closetm": round(order.closed or 0.0, 4), "reason": order.reason or None})
    if trades is not None:
        info["trades"] = trades
    return info


def ledger_info(entry: LedgerEntry) -> dict[str, Any]:
    """One entry of Ledgers and QueryLedgers."""
    asset = ASSET_IDS[entry.asset]
    return {
        "aclass": "currency",
        "amount": amount(entry.amount, asset),
        "asset": asset,
        "balance": amount(entry.balance, asset),
        "fee": amount(entry.fee, asset),
        "refid": entry.ref,
        "time": round(entry.at, 4),
        "type": entry.kind,
        "subtype": "",
    }


def amend_info(order: Order, row: dict[str, Any]) -> dict[str, Any]:
    """One entry of OrderAmends: the terms after a change; the first is the order as placed."""
    item = BY_SYMBOL[order.symbol].instrument
    info: dict[str, Any] = {
        "amend_id": row["id"],
        "amend_type": row["kind"],
        "order_qty": fixed(Decimal(row["qty"]), item.lot_decimals),
        "remaining_qty": fixed(Decimal(row["remaining"]), item.lot_decimals),
        "timestamp": int(row["at"] * 1000),
        "post_only": order.post_only,
    }
    for name in ("limit_price", "trigger_price"):
        if row[name] is not None:
            info[name] = fixed(Decimal(row[name]), item.price_decimals)
    return info


def trade_info(fill: Fill) -> dict[str, Any]:
    """One entry of TradesHistory and QueryTrades."""
    pair = BY_SYMBOL[fill.symbol]
    item = pair.instrument
    return {
        "ordertxid": fill.order_id,
        "postxid": fill.order_id,
        "pair": pair.id,
        "aclass": "forex",
        "time": round(fill.at, 7),
        "type": fill.side,
        "ordertype": fill.type,
        "price": fixed(fill.price, item.price_decimals),
        "cost": fixed(fill.cost, item.cost_decimals),
        "fee": fixed(fill.fee, item.cost_decimals),
        "vol": fixed(fill.qty, item.lot_decimals),
        "margin": fixed(fill.cost / fill.leverage if fill.opened else ZERO, item.cost_decimals),
        "leverage": str(fill.leverage),
        "misc": "" if not fill.leverage else "initiated" if fill.opened else "closing",
        "trade_id": fill.trade_id,
        "maker": fill.maker,
    }


def position_info(loan: Loan, mark: Decimal, full: bool) -> dict[str, Any]:
    """One entry of OpenPositions; `full` adds value and profit, as docalcs does."""
    pair = BY_SYMBOL[loan.symbol]
    item = pair.instrument
    row: dict[str, Any] = {
        "ordertxid": loan.order_id,
        "posstatus": "open",
        "pair": pair.id,
        "time": round(loan.at, 4),
        "type": loan.side,
        "ordertype": loan.type,
        "cost": fixed(loan.cost, item.cost_decimals),
        "fee": fixed(loan.fee, item.cost_decimals),
        "vol": fixed(loan.qty, item.lot_decimals),
        "vol_closed": fixed(loan.qty - loan.left, item.lot_decimals),
        "margin": fixed(loan.cost / loan.leverage, item.cost_decimals),
        "terms": "%s%% per 4 hours" % fixed(ROLLOVER_RATE * 100, 4),
        "rollovertm": str(int(loan.rollover)),
        "misc": "",
        "oflags": "",
    }
    if full:
        profit = loan.profit(mark)
        row.update({"value": fixed(loan.left * mark, 4), "net": ("+" if profit >= 0 else "") + fixed(profit, 4)})
    return row


def market_positions(loans: list[Loan], marks: dict[str, Decimal], full: bool) -> list[dict[str, Any]]:
    """OpenPositions with consolidation = market: one entry a pair and side."""
    out = []
    for symbol, side in dict.fromkeys((item.symbol, item.side) for item in loans):
        mine = [item for item in loans if (item.symbol, item.side) == (symbol, side)]
        pair = BY_SYMBOL[symbol]
        item = pair.instrument
        cost, margin = sum((loan.cost for loan in mine), ZERO), sum((loan.cost / loan.leverage for loan in mine), ZERO)
        row = {
            "pair": pair.id,
            "positions": str(len(mine)),
            "type": side,
            "leverage": fixed(cost / margin, 5),
            "cost": fixed(cost, item.cost_decimals),
            "fee": fixed(sum((loan.fee for loan in mine), ZERO), item.cost_decimals),
            "vol": fixed(sum((loan.qty for loan in mine), ZERO), item.lot_decimals),
            "vol_closed": fixed(sum((loan.qty - loan.left for loan in mine), ZERO), item.lot_decimals),
            "margin": fixed(margin, item.cost_decimals),
        }
        if full:
            profit = sum((loan.profit(marks[symbol]) for loan in mine), ZERO)
            value = sum((loan.left * marks[symbol] for loan in mine), ZERO)
            row.update({"value": fixed(value, 4), "net": ("+" if profit >= 0 else "") + fixed(profit, 4)})
        out.append(row)
    return out


def candle_row(candle: Candle, pair: Pair) -> list[Any]:
    """One row of OHLC."""
    item = pair.instrument
    return [
        candle.start,
        *(fixed(value, item.price_decimals) for value in (candle.open, candle.high, candle.low, candle.close, candle.vwap())),
        fixed(candle.volume, 8),
        candle.count,
    ]


def amount(value: Decimal, asset_id: str) -> str:
    """Write a balance with the asset's ledger decimals."""
    return fixed(value, ASSETS[asset_id][1], ROUND_DOWN)


__all__ = [
    "PAIRS",
    "amend_info",
    "amount",
    "asset_info",
    "candle_row",
    "describe",
    "describe_close",
    "ledger_info",
    "market_positions",
    "order_info",
    "pair_info",
    "position_info",
    "trade_info",
]
