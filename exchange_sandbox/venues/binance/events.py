"""Binance's user data events: what an order, a booking or a position change looks like on the user data stream."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...engine import Fact
from ...money import ZERO, fixed
from ...orders import OPEN_STATES, Fill, Order
from ...positions import CROSS, WALLET, Position
from .forms import algo_status, status_name, tif_name, type_name
from .instruments import BY_SYMBOL, SPOT, USDM
from .order_form import STP_NAMES
from .wire import average, eight, ms, price, qty

if TYPE_CHECKING:
    from ...accounts import Account
    from ...core import Exchange

#: account and market -> events in order
Events = dict[tuple[str, str], list[dict[str, Any]]]
_BECAME = {
    "stop-loss": "MARKET",
    "take-profit": "MARKET",
    "trailing-stop": "MARKET",
    "stop-loss-limit": "LIMIT",
    "take-profit-limit": "LIMIT",
}
_REASON = {
    "funding": "FUNDING_FEE",
    "deposit": "DEPOSIT",
    "transfer": "DEPOSIT",
    "adjustment": "ADJUSTMENT",
    "insurance": "INSURANCE_CLEAR",
}


def execution(order: Order, kind: str, at: float, fill: Optional[Fill] = None) -> dict[str, Any]:
    """A spot executionReport; `kind` is NEW, TRADE, CANCELED, EXPIRED or TRADE_PREVENTION."""
    symbol = BY_SYMBOL[order.symbol]
    return {
        "e": "executionReport",
        "E": ms(at),
        "s": symbol.id,
        "c": order.client_id,
        "S": order.side.upper(),
        "o": type_name(order),
        "f": order.tif,
        "q": eight(order.qty),
        "p": eight(order.limit_price or ZERO),
        "P": eight(order.stop_price or ZERO),
        "F": eight(ZERO),
        "g": int(order.list_id) if order.list_id else -1,
        "C": order.client_id if kind == "CANCELED" else "",
        "x": kind,
        "X": status_name(order),
        "r": "NONE",
        "i": int(order.id),
        "l": eight(fill.qty if fill else ZERO),
        "z": eight(order.filled),
        "L": eight(fill.price if fill else ZERO),
        "n": eight(fill.fee) if fill else "0",
        "N": (fill.fee_asset or symbol.quote) if fill else None,
        "T": ms(at),
        "t": fill.trade_id if fill else -1,
        "I": 0,
        "w": order.status == "open",
        "m": fill.maker if fill else False,
        "M": fill is not None,
        "O": ms(order.created),
        "Z": eight(order.cost),
        "Y": eight(fill.cost if fill else ZERO),
        "Q": eight(ZERO),
        "W": ms(order.created),
        "V": STP_NAMES[order.stp],
    }


def trade_update(order: Order, kind: str, at: float, fill: Optional[Fill] = None) -> dict[str, Any]:
    """A futures ORDER_TRADE_UPDATE; `kind` is NEW, TRADE, CANCELED, EXPIRED, AMENDMENT or CALCULATED (a liquidation)."""
    symbol = BY_SYMBOL[order.symbol]
    item = symbol.instrument
    body: dict[str, Any] = {
        "s": symbol.id,
        "c": order.client_id,
        "S": order.side.upper(),
        "o": _BECAME.get(order.type, type_name(order)),
        "f": tif_name(order),
        "q": qty(order.qty, item),
        "p": price(order.limit_price or ZERO, item),
        "ap": average(order.cost, order.filled, item),
        "sp": price(ZERO, item),
        "x": kind,
        "X": status_name(order),
        "i": int(order.id),
        "l": qty(fill.qty if fill else ZERO, item),
        "z": qty(order.filled, item),
        "L": price(fill.price if fill else ZERO, item),
        "T": ms(at),
        "t": fill.trade_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": order.reduce_only,
        "wt": "MARK_PRICE" if order.trigger == "index" else "CONTRACT_PRICE",
        "ot": type_name(order),
        "ps": order.position_side or "BOTH",
        "cp": order.close_position,
        "rp": eight(fill.realized if fill else ZERO),
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": STP_NAMES[order.stp],
        "pm": "NONE",
        "gtd": ms(order.expire_at) if order.expire_at else 0,
    }
    if fill is not None:
        body.update({"N": item.quote.removeprefix(WALLET), "n": eight(fill.fee)})
    return {"e": "ORDER_TRADE_UPDATE", "E": ms(at), "T": ms(at), "o": body}


def algo_update(order: Order, at: float) -> dict[str, Any]:
    """A conditional order's ALGO_UPDATE."""
    symbol = BY_SYMBOL[order.symbol]
    item = symbol.instrument
    return {
        "e": "ALGO_UPDATE",
        "T": ms(at),
        "E": ms(at),
        "o": {
            "caid": order.client_id,
            "aid": int(order.id),
            "at": "CONDITIONAL",
            "o": type_name(order),
            "s": symbol.id,
            "S": order.side.upper(),
            "ps": order.position_side or "BOTH",
            "f": tif_name(order),
            "q": qty(order.qty, item),
            "X": algo_status(order),
            "ai": order.id if order.triggered else "",
            "ap": average(order.cost, order.filled, item) if order.triggered else "0.00000",
            "aq": qty(order.filled, item) if order.triggered else "0.00000",
            "act": _BECAME.get(order.type, "0") if order.triggered else "0",
            "tp": price(order.stop_price or ZERO, item),
            "p": price(order.limit_price or ZERO, item),
            "V": STP_NAMES[order.stp],
            "wt": "MARK_PRICE" if order.trigger == "index" else "CONTRACT_PRICE",
            "pm": "NONE",
            "cp": order.close_position,
            "pP": False,
            "R": order.reduce_only,
            "tt": ms(at) if order.triggered else 0,
            "gtd": ms(order.expire_at) if order.expire_at else 0,
            "rm": order.reason if order.status == "expired" else "",
        },
    }


class Tracker:
    """Turns the engine's facts into events: remembers which orders were announced, and with which terms."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._terms: dict[str, tuple[Any, ...]] = {}

    def events(self, facts: list[Fact]) -> Events:
        """Return the events per account and market."""
        out: Events = {}
        touched: dict[tuple[str, str], set[str]] = {}
        moved: dict[str, dict[str, Any]] = {}
        now = self._exchange.clock.now()
        for fact in facts:
            kind = fact["t"]
            if kind == "order" and fact["order"]["symbol"] in BY_SYMBOL:
                order = Order.from_dict(fact["order"])
                market = BY_SYMBOL[order.symbol].market
                out.setdefault((order.account, market), []).extend(self._order(order))
                if market == SPOT:
                    item = BY_SYMBOL[order.symbol].instrument
                    touched.setdefault((order.account, market), set()).update((item.base, item.quote))
            elif kind == "fill" and fact["fill"]["symbol"] in BY_SYMBOL:
                fill, order = Fill.from_dict(fact["fill"]), Order.from_dict(fact["order"])
                market = BY_SYMBOL[order.symbol].market
                make = execution if market == SPOT else trade_update
                liquidated = market == USDM and order.flags == "liquidation"
                out.setdefault((order.account, market), []).append(make(order, "CALCULATED" if liquidated else "TRADE", fill.at, fill))
                if market == USDM and order.is_stop and order.triggered:
                    out[(order.account, market)].append(algo_update(order, fill.at))
            elif kind == "ledger" and self._exchange.engine.accounts[fact["account"]].venue == "binance":
                self._booking(fact, out, touched, moved)
            elif kind == "position":
                moved.setdefault(fact["account"], {"reason": "ORDER", "positions": {}, "change": ZERO})["positions"][
                    (fact["position"]["symbol"], fact["position"]["side"])
                ] = fact["position"]
            elif kind == "modes":
                out.setdefault((fact["account"], USDM), []).append(self._config(fact, now))
        for (name, market), assets in touched.items():
            out.setdefault((name, market), []).append(self._balances(self._exchange.engine.accounts[name], assets, now))
        for name, change in moved.items():
            out.setdefault((name, USDM), []).append(self._account(self._exchange.engine.accounts[name], change, now))
        return out

    def learn(self) -> None:
        """Begin with the open orders as they are: facts are not followed while there is no connection."""
        orders = (order for order in self._exchange.engine.orders.values() if order.is_open and order.symbol in BY_SYMBOL)
        self._terms = {order.id: (order.qty, order.limit_price, order.triggered, order.status) for order in orders}

    def remember(self, facts: list[Fact]) -> None:
        """Note what `events` would remember, without making events: while no account listens."""
        for fact in facts:
            if fact["t"] == "order" and fact["order"]["symbol"] in BY_SYMBOL:
                row = fact["order"]
                if row["status"] in OPEN_STATES:
                    limit = None if row["limit_price"] is None else Decimal(row["limit_price"])
                    self._terms[row["id"]] = (Decimal(row["qty"]), limit, row["triggered"], row["status"])
                else:
                    self._terms.pop(row["id"], None)

    def _order(self, order: Order) -> list[dict[str, Any]]:
        terms = (order.qty, order.limit_price, order.triggered, order.status)
        known = self._terms.get(order.id)
        spot = BY_SYMBOL[order.symbol].market == SPOT
        waiting = order.is_stop and not order.triggered
        make = execution if spot else trade_update
        rows: list[dict[str, Any]] = []
        if order.is_open:
            self._terms[order.id] = terms
            if known is None:
                rows.append(algo_update(order, order.created) if waiting and not spot else make(order, "NEW", order.created))
            elif not known[2] and order.triggered:
                at = self._exchange.clock.now()
                if not spot:
                    rows.append(algo_update(order, at))
                rows.append(make(order, "NEW", at))
            elif known[:2] != terms[:2] and known[3] == order.status:
                rows.append(make(order, "REPLACED" if spot else "AMENDMENT", self._exchange.clock.now()))
            return rows
        self._terms.pop(order.id, None)
        at = order.closed or order.created
        if known is None and order.status != "closed" and not waiting:
            rows.append(make(Order(**{**order.__dict__, "status": "open", "reason": ""}), "NEW", order.created))
        if order.is_stop and not spot:
            rows.append(algo_update(order, at))
            if waiting:
                return rows
        if order.status != "closed":
            name = status_name(order)
            rows.append(make(order, "TRADE_PREVENTION" if name == "EXPIRED_IN_MATCH" else name, at))
        return rows

    # -- balances and positions ----------------------------------------------------------------------------------------

    def _booking(self, fact: Fact, out: Events, touched: dict[tuple[str, str], set[str]], moved: dict[str, dict[str, Any]]) -> None:
        change = Decimal(fact["amount"]) - Decimal(fact["fee"])
        if fact["asset"].startswith(WALLET):
            row = moved.setdefault(fact["account"], {"reason": "ORDER", "positions": {}, "change": ZERO})
            if fact["kind"] != "trade":
                row["reason"] = _REASON.get(fact["kind"], "ADJUSTMENT")
                row["change"] += change
            return
        touched.setdefault((fact["account"], SPOT), set()).add(fact["asset"])
        if fact["kind"] != "trade":
            at = ms(fact["at"])
            event = {"e": "balanceUpdate", "E": at, "a": fact["asset"], "d": eight(change), "T": at}
            out.setdefault((fact["account"], SPOT), []).append(event)

    @staticmethod
    def _balances(account: Account, assets: set[str], now: float) -> dict[str, Any]:
        return {
            "e": "outboundAccountPosition",
            "E": ms(now),
            "u": ms(now),
            "B": [{"a": asset, "f": eight(account.available(asset)), "l": eight(account.held(asset))} for asset in sorted(assets)],
        }

    def _account(self, account: Account, change: dict[str, Any], now: float) -> dict[str, Any]:
        margin, wallet = self._exchange.engine.margin, WALLET + "USDT"
        rows = []
        for fact in change["positions"].values():
            position = Position.from_dict(fact)
            symbol = BY_SYMBOL[position.symbol]
            isolated = margin.is_isolated(account, position)
            rows.append(
                {
                    "s": symbol.id,
                    "pa": qty(position.qty, symbol.instrument),
                    "ep": fixed(position.entry, 8),
                    "bep": fixed(position.entry, 8),
                    "cr": eight(sum((fill.realized for fill in account.fills if fill.symbol == position.symbol), ZERO)),
                    "up": eight(position.profit(margin.mark(position.symbol))),
                    "mt": "isolated" if isolated else CROSS,
                    "iw": eight(position.isolated),
                    "ps": position.side,
                }
            )
        return {
            "e": "ACCOUNT_UPDATE",
            "E": ms(now),
            "T": ms(now),
            "a": {
                "m": change["reason"],
                "B": [
                    {
                        "a": "USDT",
                        "wb": eight(account.balance(wallet)),
                        "cw": eight(margin.cross_wallet(account, wallet)),
                        "bc": eight(change["change"]),
                    }
                ],
                "P": rows,
            },
        }

    def _config(self, fact: Fact, now: float) -> dict[str, Any]:
        futures = self._exchange.engine.accounts[fact["account"]].futures
        name, leverage = next(reversed(list(futures.leverage.items())), (None, 0))
        event: dict[str, Any] = {"e": "ACCOUNT_CONFIG_UPDATE", "E": ms(now), "T": ms(now)}
        if name is not None:
            event["ac"] = {"s": BY_SYMBOL[name].id, "l": leverage}
        else:
            event["ai"] = {"j": futures.multi_assets}
        return event
