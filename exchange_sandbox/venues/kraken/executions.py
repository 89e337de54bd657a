"""Kraken's private stream messages: what an order event looks like on the executions channel, a booking on the balances channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...accounts import Account, LedgerEntry
from ...engine import Fact
from ...money import ZERO
from ...orders import LIQUIDATION, Fill, Order
from .instruments import BY_SYMBOL
from .wire import Raw, number, stamp

_STATUS = {"pending": "new", "closed": "filled", "canceled": "canceled", "expired": "expired"}


def order_status(order: Order) -> str:
    """Return the stream's word for an order's state."""
    if order.status == "open":
        return "partially_filled" if order.filled else "new"
    return _STATUS[order.status]


def _base(order: Order, exec_type: str, status: str, at: float) -> dict[str, Any]:
    item = BY_SYMBOL[order.symbol].instrument
    average = order.cost / order.filled if order.filled else ZERO
    row: dict[str, Any] = {
        "order_id": order.id,
        "order_userref": order.user_ref or 0,
        "exec_type": exec_type,
        "order_status": status,
        "cum_qty": number(order.filled, item.lot_decimals),
        "cum_cost": number(order.cost, item.cost_decimals),
        "avg_price": number(average, item.price_decimals),
        "fee_usd_equiv": number(order.fee, item.cost_decimals),
        "timestamp": stamp(at),
    }
    if order.client_id is not None:
        row["cl_ord_id"] = order.client_id
    if order.leverage:
        row["margin"] = True
        if order.flags == LIQUIDATION:
            row["liquidated"] = True
    return row


def full(order: Order, exec_type: str, at: float) -> dict[str, Any]:
    """The row with all of an order's terms (pending_new, new, amended, snapshot)."""
    item = BY_SYMBOL[order.symbol].instrument
    status = "pending_new" if exec_type == "pending_new" else order_status(order)
    row = _base(order, exec_type, status, at)
    row.update(
        {
            "symbol": order.symbol,
            "side": order.side,
            "order_type": order.type,
            "order_qty": number(order.qty, item.lot_decimals),
            "time_in_force": order.tif,
            "fee_ccy_pref": "fciq",
            "post_only": order.post_only,
            "reduce_only": order.reduce_only,
        }
    )
    if order.limit_price is not None:
        row.update({"limit_price_type": "static", "limit_price": number(order.limit_price, item.price_decimals)})
    if order.stop_price is not None:
        row["stop_price"] = number(order.stop_price, item.price_decimals)
        row["triggers"] = {
            "reference": order.trigger,
            "price": number(order.stop_price, item.price_decimals),
            "price_type": "static",
            "status": "triggered" if order.triggered else "untriggered",
        }
    return row


def trade(fill: Fill, order: Order) -> dict[str, Any]:
    """The row of an execution."""
    pair = BY_SYMBOL[fill.symbol]
    item = pair.instrument
    row = _base(order, "trade", "filled" if order.remaining == 0 else "partially_filled", fill.at)
    row.update(
        {
            "exec_id": fill.id,
            "trade_id": fill.trade_id,
            "symbol": fill.symbol,
            "side": fill.side,
            "order_type": fill.type,
            "last_qty": number(fill.qty, item.lot_decimals),
            "last_price": number(fill.price, item.price_decimals),
            "liquidity_ind": "m" if fill.maker else "t",
            "cost": number(fill.cost, item.cost_decimals),
            "fees": [{"asset": item.quote, "qty": number(fill.fee, item.cost_decimals)}],
        }
    )
    if fill.leverage:
        row["margin_borrow"] = True
    return row


def ending(order: Order) -> dict[str, Any]:
    """The row of an order's end."""
    row = _base(order, order_status(order), order_status(order), order.closed or order.created)
    if order.status != "closed":
        row["reason"] = order.reason
        row["cancel_reason"] = order.reason
    row["symbol"] = order.symbol
    return row


def _terms(order: Order) -> tuple[Any, ...]:
    return (order.qty, order.limit_price, order.stop_price if order.trail is None else None, order.triggered)


class Tracker:
    """Turns the engine's facts into stream rows: remembers which orders were announced, and with which terms."""

    def __init__(self) -> None:
        self._terms: dict[str, tuple[Any, ...]] = {}

    def rows(self, facts: list[Fact]) -> dict[str, list[dict[str, Any]]]:
        """Return executions rows per account."""
        out: dict[str, list[dict[str, Any]]] = {}
        for fact in facts:
            if fact["t"] == "order":
                if fact["order"]["symbol"] not in BY_SYMBOL:
                    continue
                order = Order.from_dict(fact["order"])
                out.setdefault(order.account, []).extend(self._order(order))
            elif fact["t"] == "fill" and fact["fill"]["symbol"] in BY_SYMBOL:
                fill = Fill.from_dict(fact["fill"])
                out.setdefault(fill.account, []).append(trade(fill, Order.from_dict(fact["order"])))
        return {account: rows for account, rows in out.items() if rows}

    def learn(self, orders: Iterable[Order]) -> None:
        """Begin with the open orders as they are: facts are not followed while nobody listens."""
        self._terms = {order.id: _terms(order) for order in orders if order.is_open and order.symbol in BY_SYMBOL}

    def _order(self, order: Order) -> list[dict[str, Any]]:
        terms = _terms(order)
        known = self._terms.get(order.id)
        rows = []
        if known is None:
            rows += [full(order, "pending_new", order.created), full(order, "new", order.created)] if order.is_open else []
        elif known != terms and order.is_open:
            rows.append(full(order, "status" if known[:3] == terms[:3] else "amended", order.created))
        if order.is_open:
            self._terms[order.id] = terms
        else:
            self._terms.pop(order.id, None)
            rows.append(ending(order))
        return rows


def balances(account: Account) -> list[dict[str, Any]]:
    """The balances channel's snapshot."""
    return [
        {
            "asset": asset,
            "asset_class": "currency",
            "balance": Raw(format(value, "f")),
            "wallets": [{"type": "spot", "id": "main", "balance": Raw(format(value, "f"))}],
        }
        for asset, value in sorted(account.balances.items())
    ]


def booking(entry: LedgerEntry) -> dict[str, Any]:
    """One update of the balances channel."""
    return {
        "asset": entry.asset,
        "asset_class": "currency",
        "amount": Raw(format(entry.amount, "f")),
        "balance": Raw(format(entry.balance, "f")),
        "fee": Raw(format(entry.fee, "f")),
        "ledger_id": entry.id,
        "ref_id": entry.ref,
        "timestamp": stamp(entry.at),
        "type": entry.kind,
        "subtype": "",
        "category": entry.kind,
        "wallet_type": "spot",
        "wallet_id": "main",
    }
