"""Binance USD-M futures orders: new, batch, modify, query, cancel, cancel all, countdown."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...judge import Intent
from ...orders import BUY, Order, Refusal
from ...positions import BOTH, LONG, SHORT
from .call import SIGNED, Call, Endpoint
from .errors import BinanceError, words
from .forms import um_order, um_trade
from .gate import FUTURES, READ
from .instruments import Symbol
from .order_form import (
    Form,
    check_filters,
    choice,
    client_id_of,
    find_order,
    market_open,
    mine,
    precision,
    refuse_extra,
    side_of,
    stp_of,
    strike_cancel,
    strike_reject,
    window,
)
from .um_public import MOST_ORDERS, PRICE_DOWN, PRICE_UP, TIFS
from .wire import ms

if TYPE_CHECKING:
    from ...core import Exchange

_UP, _DOWN = Decimal(PRICE_UP), Decimal(PRICE_DOWN)
CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")


def position_side(call: Call, side: str) -> str:
    """Return the position an order is about ("" in one-way mode). Raises BinanceError when it does not suit the account's mode."""
    given = choice(call, "positionSide", (BOTH, LONG, SHORT), (-1130, "Invalid positionSide."), BOTH)
    if call.account.futures.dual != (given != BOTH):
        call.seen.bad("protocol", "positionSide %s does not suit the position mode" % given)
        raise BinanceError(-4061, "Order's position side does not match user's setting.")
    if given != BOTH and call.params.get("reduceOnly"):
        call.seen.bad("protocol", "reduceOnly does not exist in hedge mode")
        raise BinanceError(-1106, "Parameter 'reduceonly' sent when not required.")
    return "" if given == BOTH else given


def effect(call: Call, order: Order) -> str:
    """Return what an order does to its position: entry, exit, or protect (a stop that only closes)."""
    margin = call.exchange.engine.margin
    closes = margin.only_closes(order) or margin.closable(order) >= order.qty > 0
    if not closes:
        return "entry"
    return "protect" if order.type.startswith(("stop-loss", "trailing-stop")) else "exit"


class UmOrders:
    """Handlers under /fapi/v1 that place, change and tell orders."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        trade, read, base = (FUTURES,), (READ, FUTURES), "/fapi/v1/"
        return {
            ("POST", base + "order"): Endpoint(self.new, SIGNED, trade, 1, True, "AddOrder"),
            ("POST", base + "order/test"): Endpoint(self.test, SIGNED, trade),
            ("PUT", base + "order"): Endpoint(self.modify, SIGNED, trade, 1, True, "AmendOrder"),
            ("GET", base + "order"): Endpoint(self.query, SIGNED, read, 1, tells_orders=True),
            ("DELETE", base + "order"): Endpoint(self.cancel, SIGNED, trade, 1, alias="CancelOrder"),
            ("POST", base + "batchOrders"): Endpoint(self.batch, SIGNED, trade, 5, True),
            ("DELETE", base + "batchOrders"): Endpoint(self.cancel_batch, SIGNED, trade, 1, alias="CancelOrder"),
            ("GET", base + "openOrder"): Endpoint(self.query_open, SIGNED, read, 1, tells_orders=True),
            ("GET", base + "openOrders"): Endpoint(self.open, SIGNED, read, -1, tells_orders=True),
            ("GET", base + "allOrders"): Endpoint(self.all, SIGNED, read, 5, tells_orders=True),
            ("DELETE", base + "allOpenOrders"): Endpoint(self.cancel_all, SIGNED, trade, 1, alias="CancelAll"),
            ("POST", base + "countdownCancelAll"): Endpoint(self.countdown, SIGNED, trade, 10),
            ("GET", base + "userTrades"): Endpoint(self.trades, SIGNED, read, 5, tells_orders=True),
        }

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, call: Call) -> Form:
        """Return the order that a request describes. Raises BinanceError."""
        symbol = call.symbol()
        side = side_of(call)
        kind = choice(call, "type", ("LIMIT", "MARKET", *CONDITIONAL), (-1116, "Invalid orderType."))
        if kind in CONDITIONAL:
            call.seen.bad("protocol", "conditional orders go to algoOrder")
            raise BinanceError(-4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.")
        where = position_side(call, side)
        call.needed("quantity")
        qty = call.number("quantity")
        assert qty is not None
        limit: Optional[Decimal] = None
        if kind == "LIMIT":
            call.needed("timeInForce")
            call.needed("price")
            limit = call.number("price")
        else:
            refuse_extra(call, "price", "timeInForce")
        tif = choice(call, "timeInForce", TIFS, (-1115, "Invalid timeInForce."), "GTC")
        precision(call, {"quantity": qty, "price": limit}, symbol)
        order = Order(
            id="",
            account=call.account.name,
            symbol=symbol.instrument.symbol,
            side=side,
            type=kind.lower(),
            qty=qty,
            limit_price=limit,
            tif="GTC" if tif == "GTX" else tif,
            post_only=tif == "GTX",
            reduce_only=call.flag("reduceOnly"),
            client_id=client_id_of(call),
            stp=stp_of(call),
            position_side=where,
            expire_at=self._good_till(call, tif),
        )
        given = call.params.get("newClientOrderId") or None
        intent = Intent(symbol.instrument, side, order.type, qty, limit, None, given, order.reduce_only, effect=effect(call, order))
        return Form(symbol, intent, order)

    @staticmethod
    def _good_till(call: Call, tif: str) -> Optional[float]:
        if tif != "GTD":
            return None
        call.needed("goodTillDate")
        until = (call.integer("goodTillDate") or 0) / 1000
        if until < call.now + 600:
            call.seen.bad("protocol", "goodTillDate is less than 600 s ahead")
            raise BinanceError(-4102, "goodTillDate must be greater than the current time plus 600 seconds.")
        return until

    def admit(self, call: Call, form: Form) -> None:
        """Apply what the venue asks of a new order. Raises BinanceError."""
        order, symbol = form.order, form.symbol
        margin = self._exchange.engine.margin
        if not margin.only_closes(order):
            market_open(call, symbol, order.post_only)
        check_filters(self._exchange, order, symbol, _UP, _DOWN)
        plain = [item for item in mine(call, symbol) if item.status == "open"]
        if len(plain) >= MOST_ORDERS and call.account.tier != "unlimited":
            raise BinanceError(-1015, "Too many new orders; current limit is %d orders." % MOST_ORDERS)
        self.check_id(call, order)
        strike_reject(call)

    def check_id(self, call: Call, order: Order) -> None:
        """Refuse a client id that another open order has."""
        engine = self._exchange.engine
        known = engine.by_client.get((call.account.name, order.client_id or ""))
        if known is not None and known in engine.open_by_account[call.account.name]:
            raise BinanceError(-4116, "ClientOrderId is duplicated.")

    def _check_leverage(self, call: Call, symbol: Symbol, order: Order) -> None:
        """Refuse what the leverage bracket does not allow (-2027)."""
        margin, item, futures = self._exchange.engine.margin, symbol.instrument, call.account.futures
        if margin.only_closes(order) or item.contract is None:
            return
        signed = order.qty if order.side == BUY else -order.qty
        amount = abs(futures.of(item.symbol, order.position_side).qty + signed) * margin.mark(item.symbol)
        if futures.leverage_of(item.symbol) > item.contract.bracket(amount).leverage:
            raise BinanceError(-2027, "Exceeded the maximum allowable position at current leverage.")

    # -- placing -------------------------------------------------------------------------------------------------------

    def _place(self, call: Call, form: Form) -> dict[str, Any]:
        call.seen.ok("protocol")
        self._exchange.judge.order(call.seen, call.account, form.intent)
        self.admit(call, form)
        self._check_leverage(call, form.symbol, form.order)
        exchange, order = self._exchange, form.order
        order.id = exchange.engine.ids.venue_order("binance")
        exchange.judge.sent(order, call.seen)
        exchange.effects.before_order(order)
        try:
            exchange.engine.submit(order, call.now)
        except Refusal as refusal:
            exchange.publish()
            raise words(refusal, True) from None
        exchange.publish()
        return self.result(call, order)

    def result(self, call: Call, order: Order) -> dict[str, Any]:
        """The answer to a new order: ACK says what was taken, RESULT what became of it."""
        row = um_order(self._exchange, order)
        row.pop("time")
        if call.text("newOrderRespType", "ACK") == "ACK":
            row.update({"status": "NEW", **{name: _zero(row[name]) for name in ("executedQty", "cumQty", "cumQuote", "avgPrice")}})
        return row

    def new(self, call: Call) -> Any:
        choice(call, "newOrderRespType", ("ACK", "RESULT"), (-1130, "Invalid newOrderRespType."), "ACK")
        return self._place(call, self.read(call))

    def test(self, call: Call) -> Any:
        form = self.read(call)
        check_filters(self._exchange, form.order, form.symbol, _UP, _DOWN)
        return {}

    def batch(self, call: Call) -> Any:
        """Up to five orders; each has its own answer."""
        rows = self._list(call, "batchOrders", 5)
        out: list[Any] = []
        for row in rows:
            try:
                if not isinstance(row, dict):
                    raise BinanceError(-1130, "Data sent for parameter 'batchOrders' is not valid.")
                params = {str(name): str(value).lower() if isinstance(value, bool) else str(value) for name, value in row.items()}
                out.append(self._place(call, self.read(Call(call.exchange, call.seen, call.market, params, call.key, call.owner))))
            except BinanceError as error:
                out.append(error.body())
        return out

    @staticmethod
    def _list(call: Call, name: str, most: int) -> list[Any]:
        try:
            rows = json.loads(call.needed(name))
        except (ValueError, RecursionError):
            rows = None
        if not isinstance(rows, list) or not 1 <= len(rows) <= most:
            call.seen.bad("protocol", "%s is no list of 1 to %d" % (name, most))
            raise BinanceError(-4082, "Invalid number of batch place orders.")
        return rows

    def modify(self, call: Call) -> Any:
        """Change price and quantity of a limit order; it loses its place in the queue unless only the quantity falls."""
        symbol = call.symbol()
        order = find_order(call, symbol, cancel=True)
        if side_of(call) != order.side:
            call.seen.bad("protocol", "the side cannot be changed")
            raise BinanceError(-4190, "Order side is not allowed to be changed.")
        call.needed("quantity")
        call.needed("price")
        qty, price = call.number("quantity"), call.number("price")
        assert qty is not None
        precision(call, {"quantity": qty, "price": price}, symbol)
        call.seen.ok("protocol")
        intent = Intent(symbol.instrument, order.side, order.type, qty, price, None, None, order.reduce_only, effect=effect(call, order))
        self._exchange.judge.modes(call.seen, call.account, intent.kind)
        self._exchange.judge.filters(call.seen, intent)
        if (qty, price) == (order.qty, order.limit_price):
            raise BinanceError(-5027, "No need to modify the order.")
        if order.status != "open" or order.limit_price is None:
            raise BinanceError(-2013, "Order does not exist.")
        check_filters(self._exchange, Order(**{**order.__dict__, "qty": qty, "limit_price": price}), symbol, _UP, _DOWN)
        strike_reject(call)
        try:
            self._exchange.engine.amend(order, call.now, qty=qty, limit_price=price, post_only=order.post_only)
        except Refusal as refusal:
            raise words(refusal, True) from None
        finally:
            self._exchange.publish()
        return um_order(self._exchange, order)

    # -- telling -------------------------------------------------------------------------------------------------------

    def _plain(self, call: Call, orders: list[Order]) -> list[Order]:
        """Return futures orders that are no waiting conditional ones (those belong to the algo endpoints)."""
        symbol = call.symbol_or_none()
        return [
            order
            for order in orders
            if self._exchange.engine.instruments[order.symbol].contract is not None
            and (symbol is None or order.symbol == symbol.instrument.symbol)
            and (not order.is_stop or order.triggered)
        ]

    def query(self, call: Call) -> Any:
        order = find_order(call, call.symbol())
        if order.is_stop and not order.triggered:
            raise BinanceError(-2013, "Order does not exist.")
        return um_order(self._exchange, order)

    def query_open(self, call: Call) -> Any:
        order = find_order(call, call.symbol())
        if not order.is_open or (order.is_stop and not order.triggered):
            raise BinanceError(-2013, "Order does not exist.")
        return um_order(self._exchange, order)

    def open(self, call: Call) -> Any:
        rows = self._plain(call, list(self._exchange.engine.open_by_account[call.account.name].values()))
        return [um_order(self._exchange, order) for order in rows]

    def all(self, call: Call) -> Any:
        call.symbol()
        return [
            um_order(self._exchange, order) for order in window(call, self._plain(call, self._exchange.engine.orders_of(call.account.name)))
        ]

    def trades(self, call: Call) -> Any:
        symbol = call.symbol_or_none()
        first, order_id = call.integer("fromId"), call.text("orderId")
        start, end = call.integer("startTime"), call.integer("endTime")
        rows = [
            fill
            for fill in call.account.fills
            if self._exchange.engine.instruments[fill.symbol].contract is not None
            and (symbol is None or fill.symbol == symbol.instrument.symbol)
            and (first is None or fill.trade_id >= first)
            and (not order_id or fill.order_id == order_id)
            and (start is None or ms(fill.at) >= start)
            and (end is None or ms(fill.at) <= end)
        ]
        count = call.limit(500, 1000)
        return [um_trade(fill) for fill in (rows[:count] if first is not None or start is not None else rows[-count:])]

    # -- ending --------------------------------------------------------------------------------------------------------

    def cancel(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        order = find_order(call, call.symbol(), cancel=True)
        if order.is_stop and not order.triggered:
            raise BinanceError(-2011, "Unknown order sent.")
        strike_cancel(call)
        self._exchange.engine.cancel(order, call.now)
        self._exchange.publish()
        return um_order(self._exchange, order)

    def cancel_batch(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        symbol = call.symbol()
        lower = {name.lower(): value for name, value in call.params.items()}
        name, key = ("orderidlist", "orderId") if lower.get("orderidlist") else ("origclientorderidlist", "origClientOrderId")
        if not lower.get(name):
            call.seen.bad("protocol", "names no orders")
            raise BinanceError(-1102, "Param 'orderidlist' or 'origclientorderidlist' must be sent, but both were empty/null!")
        call.params[name] = lower[name]
        out: list[Any] = []
        for item in self._list(call, name, 10):
            params = {"symbol": symbol.id, key: str(item)}
            try:
                out.append(self.cancel(Call(call.exchange, call.seen, call.market, params, call.key, call.owner)))
            except BinanceError as error:
                out.append(error.body())
        return out

    def cancel_all(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        symbol = call.symbol()
        strike_cancel(call)
        for order in self._plain(call, mine(call, symbol)):
            if order.is_open:
                self._exchange.engine.cancel(order, call.now)
        self._exchange.publish()
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def countdown(self, call: Call) -> Any:
        """countdownCancelAll: the dead man's timer of one symbol in milliseconds; 0 switches it off."""
        call.seen.intent = "cancel"
        symbol = call.symbol()
        call.needed("countdownTime")
        wait = call.integer("countdownTime", None, 0, 10**9)
        assert wait is not None
        self._exchange.engine.set_countdown(call.account, symbol.instrument.symbol, call.now + wait / 1000 if wait else None)
        self._exchange.publish()
        return {"symbol": symbol.id, "countdownTime": str(wait)}


def _zero(text: str) -> str:
    """Return zero with as many decimals."""
    _, dot, decimals = text.partition(".")
    return "0" + dot + "0" * len(decimals)
