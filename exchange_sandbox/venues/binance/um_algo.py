"""Binance USD-M conditional orders: since December 2025 they live under algoOrder, not under order."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...judge import Intent
from ...money import ZERO
from ...orders import BUY, Order, Refusal
from .call import SIGNED, Call, Endpoint
from .errors import BinanceError, words
from .forms import algo_order
from .gate import FUTURES, READ
from .instruments import BY_SYMBOL
from .order_form import (
    Form,
    check_filters,
    choice,
    client_id_of,
    find_order,
    mine,
    precision,
    refuse_extra,
    side_of,
    stp_of,
    strike_cancel,
    strike_reject,
    window,
)
from .um_orders import CONDITIONAL, effect, position_side
from .um_public import MOST_ALGO_ORDERS, PRICE_DOWN, PRICE_UP, TIFS

if TYPE_CHECKING:
    from ...core import Exchange

_ENGINE = {
    "STOP": "stop-loss-limit",
    "STOP_MARKET": "stop-loss",
    "TAKE_PROFIT": "take-profit-limit",
    "TAKE_PROFIT_MARKET": "take-profit",
    "TRAILING_STOP_MARKET": "trailing-stop",
}
_UP, _DOWN = Decimal(PRICE_UP), Decimal(PRICE_DOWN)
IDS = ("algoId", "clientAlgoId")


class UmAlgo:
    """Handlers of algoOrder, openAlgoOrders, allAlgoOrders, algoOpenOrders."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        trade, read, base = (FUTURES,), (READ, FUTURES), "/fapi/v1/"
        return {
            ("POST", base + "algoOrder"): Endpoint(self.new, SIGNED, trade, 1, True, "AddOrder"),
            ("GET", base + "algoOrder"): Endpoint(self.query, SIGNED, read, 1, tells_orders=True),
            ("DELETE", base + "algoOrder"): Endpoint(self.cancel, SIGNED, trade, 1, alias="CancelOrder"),
            ("GET", base + "openAlgoOrders"): Endpoint(self.open, SIGNED, read, -1, tells_orders=True),
            ("GET", base + "allAlgoOrders"): Endpoint(self.all, SIGNED, read, 5, tells_orders=True),
            ("DELETE", base + "algoOpenOrders"): Endpoint(self.cancel_all, SIGNED, trade, 1, alias="CancelAll"),
        }

    def read(self, call: Call) -> Form:
        """Return the conditional order that a request describes. Raises BinanceError."""
        choice(call, "algoType", ("CONDITIONAL",), (-4500, "Invalid algoType."))
        symbol, side = call.symbol(), side_of(call)
        kind = choice(call, "type", CONDITIONAL, (-1116, "Invalid orderType."))
        where = position_side(call, side)
        whole = call.flag("closePosition")
        limit: Optional[Decimal] = None
        if kind in ("STOP", "TAKE_PROFIT"):
            call.needed("price")
            limit = call.number("price")
        else:
            refuse_extra(call, "price")
        if whole:
            if kind not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
                call.seen.bad("protocol", "closePosition does not belong to this type")
                raise BinanceError(-4136, "Target strategy invalid for orderType %s, closePosition true." % kind)
            refuse_extra(call, "quantity", "reduceOnly")
            qty: Optional[Decimal] = ZERO
        else:
            call.needed("quantity")
            qty = call.number("quantity")
        trigger: Optional[Decimal] = None
        trail: Optional[Decimal] = None
        if kind == "TRAILING_STOP_MARKET":
            call.needed("callbackRate")
            rate = call.number("callbackRate") or ZERO
            if not Decimal("0.1") <= rate <= 10:
                call.seen.bad("protocol", "callbackRate is not between 0.1 and 10 percent")
                raise BinanceError(-2007, "Invalid callBack rate.")
            trail, trigger = rate / 100, call.number("activatePrice")
        else:
            call.needed("triggerPrice")
            trigger = call.number("triggerPrice")
        precision(call, {"quantity": qty, "price": limit, "triggerPrice": trigger}, symbol)
        tif = choice(call, "timeInForce", TIFS, (-1115, "Invalid timeInForce."), "GTC")
        assert qty is not None
        order = Order(
            id="",
            account=call.account.name,
            symbol=symbol.instrument.symbol,
            side=side,
            type=_ENGINE[kind],
            qty=qty,
            limit_price=limit,
            stop_price=None if trail is not None else trigger,
            trigger="index"
            if choice(call, "workingType", ("MARK_PRICE", "CONTRACT_PRICE"), (-1130, "Invalid workingType."), "CONTRACT_PRICE")
            == "MARK_PRICE"
            else "last",
            tif="GTC" if tif in ("GTX", "GTD") else tif,
            reduce_only=call.flag("reduceOnly"),
            client_id=client_id_of(call, "clientAlgoId"),
            stp=stp_of(call),
            position_side=where,
            trail_rate=trail,
            activation=trigger if trail is not None else None,
            close_position=whole,
        )
        intent = Intent(
            symbol.instrument,
            side,
            order.type,
            None if whole else qty,
            limit,
            trigger,
            call.params.get("clientAlgoId") or None,
            order.reduce_only or whole,
            effect=effect(call, order),
        )
        return Form(symbol, intent, order)

    def new(self, call: Call) -> Any:
        form = self.read(call)
        order, exchange = form.order, self._exchange
        call.seen.ok("protocol")
        exchange.judge.order(call.seen, call.account, form.intent)
        check_filters(exchange, order, form.symbol, _UP, _DOWN)
        waiting = [item for item in mine(call, form.symbol) if item.status == "pending"]
        if len(waiting) >= MOST_ALGO_ORDERS and call.account.tier != "unlimited":
            raise BinanceError(-4045, "Reach max stop order limit.")
        if order.close_position and any(item.close_position and item.side == order.side and item.type == order.type for item in waiting):
            raise BinanceError(-4130, "An open stop or take profit order with GTE and closePosition in the direction is existing.")
        engine = exchange.engine
        known = engine.by_client.get((call.account.name, order.client_id or ""))
        if known is not None and known in engine.open_by_account[call.account.name]:
            raise BinanceError(-4116, "ClientOrderId is duplicated.")
        if order.reduce_only and not engine.margin.closable(order):
            raise BinanceError(-2022, "ReduceOnly Order is rejected.")
        self._would_trigger(order)
        strike_reject(call)
        order.id = engine.ids.venue_order("binance")
        exchange.judge.sent(order, call.seen)
        try:
            engine.submit(order, call.now)
        except Refusal as refusal:
            exchange.publish()
            raise words(refusal, True) from None
        exchange.publish()
        return algo_order(exchange, order)

    def _would_trigger(self, order: Order) -> None:
        engine = self._exchange.engine
        if order.stop_price is None:
            return
        price = (engine.index_price if order.trigger == "index" else engine.last_price)[order.symbol]
        rising = (order.side == BUY) != order.type.startswith("take-profit")
        if (price >= order.stop_price) if rising else (price <= order.stop_price):
            raise BinanceError(-2021, "Order would immediately trigger.")

    # -- telling and ending --------------------------------------------------------------------------------------------

    def _own(self, call: Call, orders: list[Order]) -> list[Order]:
        symbol = call.symbol_or_none()
        return [
            order
            for order in orders
            if self._exchange.engine.instruments[order.symbol].contract is not None
            and order.is_stop
            and (symbol is None or order.symbol == symbol.instrument.symbol)
        ]

    def _find(self, call: Call, cancel: bool) -> Order:
        """Return a conditional order; these endpoints need no symbol."""
        engine, account = self._exchange.engine, call.account.name
        number, client_id = call.params.get("algoId"), call.params.get("clientAlgoId")
        found = (
            engine.history[account].get(str(number))
            if number
            else engine.history[account].get(engine.by_client.get((account, str(client_id)), ""))
        )
        if found is None:
            if not number and not client_id:
                call.seen.bad("protocol", "names no order")
                raise BinanceError(-1102, "Param 'algoId' or 'clientAlgoId' must be sent, but both were empty/null!")
            raise BinanceError(*((-2011, "Unknown order sent.") if cancel else (-2013, "Order does not exist.")))
        order = find_order(call, BY_SYMBOL[found.symbol], IDS, cancel)
        if not order.is_stop or (cancel and order.status != "pending"):
            raise BinanceError(*((-2011, "Unknown order sent.") if cancel else (-2013, "Order does not exist.")))
        return order

    def query(self, call: Call) -> Any:
        return algo_order(self._exchange, self._find(call, False))

    def open(self, call: Call) -> Any:
        rows = self._own(call, list(self._exchange.engine.open_by_account[call.account.name].values()))
        return [algo_order(self._exchange, order) for order in rows if order.status == "pending"]

    def all(self, call: Call) -> Any:
        call.symbol()
        return [
            algo_order(self._exchange, order) for order in window(call, self._own(call, self._exchange.engine.orders_of(call.account.name)))
        ]

    def cancel(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        order = self._find(call, True)
        strike_cancel(call)
        self._exchange.engine.cancel(order, call.now)
        self._exchange.publish()
        return {"algoId": int(order.id), "clientAlgoId": order.client_id, "code": "200", "msg": "success"}

    def cancel_all(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        symbol = call.symbol()
        strike_cancel(call)
        for order in self._own(call, mine(call, symbol)):
            if order.status == "pending":
                self._exchange.engine.cancel(order, call.now)
        self._exchange.publish()
        return {"code": 200, "msg": "The operation of cancel all open order is done."}
