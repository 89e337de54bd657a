"""Kraken's trading calls, shared by REST and WebSocket: add, amend, edit, cancel, dead man's timer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Optional

from ...accounts import Account
from ...judge import Intent
from ...money import parse
from ...orders import Order, Refusal
from ...seen import Seen
from .errors import KrakenError, words
from .forms import describe, describe_close
from .instruments import BY_SYMBOL
from .order_form import SETTLE, Form, check_deadline, check_filters, read

if TYPE_CHECKING:
    from ...core import Exchange

Params = dict[str, Any]
#: the trading counter: seconds since the order was made -> penalty (guides/general/ratelimits)
CANCEL_COST = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
AMEND_COST = ((5, 3), (10, 2), (15, 1))
EDIT_COST = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))


def _penalty(table: tuple[tuple[int, int], ...], age: float) -> int:
    return next((cost for limit, cost in table if age < limit), 0)


class Trading:
    """Carries out trading calls for one account after the caller was let in."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    # -- add -----------------------------------------------------------------------------------------------------------

    def form(self, seen: Seen, account: Account, params: Params) -> Form:
        """Read and judge an order request. Raises KrakenError."""
        engine = self._exchange.engine
        try:
            form = read(params, account.name, "", engine.last_price, seen.at)
            deadline = check_deadline(params, seen.at)
        except KrakenError as error:
            if error.text.startswith("EService:Deadline") or "deadline" in error.text:
                seen.bad("timestamp", error.text)
            else:
                seen.bad("protocol", error.text)
            seen.order_request = True
            raise
        seen.ok("protocol")
        if deadline is not None:
            seen.ok("timestamp")
        if form.uncovered:
            seen.unknown("protocol", "no rule covers %s" % ", ".join(form.uncovered))
        if form.pair.instrument.symbol not in engine.books:
            raise KrakenError("EQuery:Unknown asset pair")
        form.intent.effect = self._effect(form.order)
        if form.validate:
            return form
        self._exchange.judge.order(seen, account, form.intent)
        return form

    def _effect(self, order: Order) -> str:
        """Return what an order on margin does to its positions: entry, exit, or protect (a stop that only closes)."""
        if not order.leverage:
            return ""
        lending = self._exchange.engine.lending
        if order.type != SETTLE and not lending.only_closes(order) and lending.closable(order) < order.qty:
            return "entry"
        return "protect" if order.type.startswith(("stop-loss", "trailing-stop")) else "exit"

    def _settle(self, seen: Seen, account: Account, form: Form) -> dict[str, Any]:
        """settle-position: pay positions back with what the account has; nothing is traded."""
        order, pair = form.order, form.pair
        descr = {"order": describe(order, pair)}
        if form.validate:
            return {"descr": descr}
        order.id = self._exchange.engine.ids.txid("O")
        try:
            self._exchange.engine.settle(order, seen.at)
        except Refusal as refusal:
            raise words(refusal) from None
        finally:
            self._exchange.publish()
        return {"descr": descr, "txid": [order.id]}

    def add(self, seen: Seen, account: Account, form: Form) -> dict[str, Any]:
        """Place the order of a form; returns the REST result. Raises KrakenError."""
        exchange, order, pair = self._exchange, form.order, form.pair
        engine, symbol = exchange.engine, pair.instrument.symbol
        self._market_open(symbol, order)
        counter = exchange.trade_counter(account, symbol)
        if not form.validate and not counter.take(1.0, seen.at):
            seen.bad("rate_budget", "the trading counter of %s exceeds its limit" % pair.altname)
            raise KrakenError("EOrder:Rate limit exceeded")
        if order.type == SETTLE:
            return self._settle(seen, account, form)
        check_filters(order, pair, engine.last_price[symbol])
        mine = engine.open_by_account[account.name]
        if order.client_id is not None and engine.is_client_id_open(account.name, order.client_id):
            raise KrakenError("EGeneral:Invalid arguments:cl_ord_id")
        most = exchange.tier(account).open_orders
        if len(mine) >= most and sum(1 for item in mine.values() if item.symbol == symbol) >= most:
            raise KrakenError("EOrder:Orders limit exceeded")
        self._reject(account)
        descr: dict[str, Any] = {"order": describe(order, pair)}
        if order.close:
            descr["close"] = describe_close(order.close)
        if form.validate:
            return {"descr": descr}
        order.id = engine.ids.txid("O")
        exchange.judge.sent(order, seen)
        exchange.effects.before_order(order)
        try:
            engine.submit(order, seen.at)
        except Refusal as refusal:
            exchange.publish()
            raise words(refusal) from None
        exchange.publish()
        return {"descr": descr, "txid": [order.id]}

    def _market_open(self, symbol: str, order: Order) -> None:
        status = self._exchange.markets.by_symbol[symbol].status
        if status == "delisted":
            raise KrakenError("EQuery:Unknown asset pair")
        if status in ("maintenance", "cancel_only") or (status == "post_only" and not order.post_only):
            raise KrakenError("EService:Unavailable" if status == "maintenance" else "EService:Market in %s mode" % status)

    def _reject(self, account: Account) -> None:
        for cruelty in self._exchange.cruelties_of("reject_orders", account.name):
            if self._exchange.cruelties.strikes(cruelty):
                raise KrakenError(str(cruelty.params["error"]))

    def batch(self, seen: Seen, account: Account, params: Params) -> dict[str, Any]:
        """AddOrderBatch: all orders are read first, one unreadable refuses the batch; then each has its own answer."""
        rows = params.get("orders")
        if not isinstance(rows, list) or not 2 <= len(rows) <= 15 or not all(isinstance(row, dict) for row in rows):
            seen.bad("protocol", "a batch has 2 to 15 orders")
            raise KrakenError("EGeneral:Invalid arguments:orders")
        forms = [
            self.form(
                seen,
                account,
                {**row, "pair": params.get("pair"), "validate": params.get("validate", ""), "deadline": params.get("deadline", "")},
            )
            for row in rows
        ]
        out: list[dict[str, Any]] = []
        for form in forms:
            try:
                result = self.add(seen, account, form)
                out.append({**result, "txid": result["txid"][0]} if "txid" in result else result)
            except KrakenError as error:
                out.append({"error": error.text})
        return {"orders": out}

    # -- change --------------------------------------------------------------------------------------------------------

    def find(self, account: Account, txid: str, client_id: str) -> Order:
        """Return an open order of the account by the venue's or the client's id. Raises KrakenError."""
        mine = self._exchange.engine.open_by_account[account.name]
        order = mine.get(txid) if txid else next((item for item in mine.values() if client_id and item.client_id == client_id), None)
        if order is None:
            raise KrakenError("EOrder:Unknown order")
        return order

    def amend(self, seen: Seen, account: Account, params: Params) -> dict[str, Any]:
        """AmendOrder: change quantity and prices in place."""
        txid, client_id = str(params.get("txid", "")), str(params.get("cl_ord_id", ""))
        if not txid and not client_id:
            seen.bad("protocol", "amend names no order")
            raise KrakenError("EGeneral:Invalid arguments")
        seen.ok("protocol")
        order = self.find(account, txid, client_id)
        self._exchange.judge.modes(seen, account, self._effect(order) or ("entry" if order.side == "buy" else "exit"))
        self._change(
            seen,
            account,
            order,
            params,
            ("order_qty", "limit_price", "trigger_price"),
            AMEND_COST,
            post_only=str(params.get("post_only", "")).lower() == "true",
        )
        return {"amend_id": order.amends[-1]["id"]}

    def _change(
        self,
        seen: Seen,
        account: Account,
        order: Order,
        params: Params,
        names: tuple[str, str, str],
        costs: tuple[tuple[int, int], ...],
        post_only: bool,
    ) -> None:
        values = []
        for name in names:
            raw = str(params.get(name) or "")
            try:
                values.append(parse(raw) if raw not in ("", "0") else None)
            except ValueError:
                seen.bad("protocol", "%s is no number" % name)
                raise KrakenError("EGeneral:Invalid arguments:%s" % name) from None
        qty, limit, stop = values
        pair = BY_SYMBOL[order.symbol]
        trial = Order(
            **{
                **order.__dict__,
                "qty": order.qty if qty is None else qty,
                "limit_price": order.limit_price if limit is None else limit,
                "stop_price": order.stop_price if stop is None else stop,
            }
        )
        intent = Intent(pair.instrument, order.side, order.type, trial.qty, trial.limit_price, trial.stop_price, None)
        intent.effect = self._effect(trial)
        self._exchange.judge.filters(seen, intent)
        self._exchange.trade_counter(account, order.symbol).force(1 + _penalty(costs, seen.at - order.created), seen.at)
        check_filters(trial, pair, self._exchange.engine.last_price[order.symbol])
        self._reject(account)
        engine = self._exchange.engine
        if not order.amends:
            order.note_amend(engine.ids.txid("T"), "original", order.created)
        try:
            engine.amend(order, seen.at, qty=qty, limit_price=limit, stop_price=stop, post_only=post_only)
            order.note_amend(engine.ids.txid("T"), "user", seen.at)
            engine.note(order)
        except Refusal as refusal:
            raise words(refusal) from None
        finally:
            self._exchange.publish()

    def edit(self, seen: Seen, account: Account, params: Params) -> dict[str, Any]:
        """EditOrder: cancel and replace; the new order has a new id and loses its place in the queue."""
        txid = str(params.get("txid", ""))
        old = self.find(account, txid, "" if txid else str(params.get("cl_ord_id", "")))
        pair = BY_SYMBOL[old.symbol]
        stop_first = old.is_stop
        merged = {
            "pair": pair.altname,
            "type": old.side,
            "ordertype": old.type,
            "volume": str(params.get("volume") or old.remaining),
            "price": str(params.get("price") or (old.stop_price if stop_first else old.limit_price) or ""),
            "price2": str(params.get("price2") or (old.limit_price if stop_first and old.limit_price else "")),
            "oflags": str(params.get("oflags") or old.flags),
            "userref": str(params.get("userref") or ("" if old.user_ref is None else old.user_ref)),
            "timeinforce": old.tif if old.tif != "GTD" else "GTC",
            "leverage": str(old.leverage or ""),
            "reduce_only": str(old.reduce_only).lower(),
            "validate": params.get("validate", ""),
            "deadline": params.get("deadline", ""),
        }
        form = self.form(seen, account, merged)
        if form.validate:
            return {"descr": {"order": describe(form.order, pair)}}
        self._exchange.trade_counter(account, old.symbol).force(1 + _penalty(EDIT_COST, seen.at - old.created), seen.at)
        check_filters(form.order, pair, self._exchange.engine.last_price[old.symbol])
        self._exchange.engine.cancel(old, seen.at, "Order replaced")
        result = self.add(seen, account, form)
        return {
            "status": "ok",
            "txid": result["txid"][0],
            "originaltxid": old.id,
            "volume": str(form.order.qty),
            "price": str(merged["price"]),
            "orders_cancelled": 1,
            "descr": result["descr"],
        }

    # -- cancel --------------------------------------------------------------------------------------------------------

    def cancel(self, seen: Seen, account: Account, params: Params) -> dict[str, Any]:
        """CancelOrder by txid, user reference or cl_ord_id."""
        seen.intent = "cancel"
        raw, client_id = str(params.get("txid", "")), str(params.get("cl_ord_id", ""))
        if not raw and not client_id:
            seen.bad("protocol", "cancel names no order")
            raise KrakenError("EGeneral:Invalid arguments:txid")
        seen.ok("protocol")
        self._cancel_fails(account)
        mine = self._exchange.engine.open_by_account[account.name]
        if raw.lstrip("-").isdigit():
            orders = [item for item in mine.values() if item.user_ref == int(raw)]
        else:
            orders = [self.find(account, raw, client_id)]
        if not orders:
            raise KrakenError("EOrder:Unknown order")
        return {"count": self.cancel_all(seen, account, orders)}

    def cancel_batch(self, seen: Seen, account: Account, params: Params) -> dict[str, Any]:
        """CancelOrderBatch: up to 50 ids; unknown ones are not counted."""
        seen.intent = "cancel"
        wanted = [*(params.get("orders") or []), *(params.get("cl_ord_ids") or [])]
        if not 1 <= len(wanted) <= 50:
            seen.bad("protocol", "a batch cancels 1 to 50 orders")
            raise KrakenError("EGeneral:Invalid arguments:orders")
        seen.ok("protocol")
        self._cancel_fails(account)
        names = {str(item.get("txid", "")) if isinstance(item, dict) else str(item) for item in wanted}
        mine = self._exchange.engine.open_by_account[account.name]
        return {
            "count": self.cancel_all(
                seen,
                account,
                [item for item in mine.values() if item.id in names or item.client_id in names or str(item.user_ref) in names],
            )
        }

    def cancel_all(self, seen: Seen, account: Account, orders: Optional[list[Order]] = None) -> int:
        """Cancel given orders, or all of the account; returns how many."""
        chosen = list(self._exchange.engine.open_by_account[account.name].values()) if orders is None else orders
        for order in chosen:
            self._exchange.trade_counter(account, order.symbol).force(_penalty(CANCEL_COST, seen.at - order.created), seen.at)
            if order.is_open:
                self._exchange.engine.cancel(order, seen.at)
        self._exchange.publish()
        return len(chosen)

    def every(self, seen: Seen, account: Account) -> dict[str, Any]:
        """CancelAll."""
        seen.intent = "cancel"
        seen.ok("protocol")
        self._cancel_fails(account)
        return {"count": self.cancel_all(seen, account)}

    def after(self, seen: Seen, account: Account, params: Params) -> dict[str, Any]:
        """CancelAllOrdersAfter: the dead man's timer; 0 switches it off."""
        seen.intent = "cancel"
        try:
            timeout = int(str(params.get("timeout", "")))
        except ValueError:
            timeout = -1
        if not 0 <= timeout < 86_400:
            seen.bad("protocol", "timeout must be seconds from 0 to 86400")
            raise KrakenError("EGeneral:Invalid arguments:timeout")
        seen.ok("protocol")
        account.cancel_all_at = seen.at + timeout if timeout else None
        self._exchange.journal.append([{"t": "timer", "account": account.name, "at": account.cancel_all_at}])
        return {
            "currentTime": _rfc3339(seen.at),
            "triggerTime": _rfc3339(account.cancel_all_at) if account.cancel_all_at is not None else "0",
        }

    def _cancel_fails(self, account: Account) -> None:
        for cruelty in self._exchange.cruelties_of("cancel_fails_once", account.name):
            if self._exchange.cruelties.strikes(cruelty):
                raise KrakenError(str(cruelty.params["error"]))


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
