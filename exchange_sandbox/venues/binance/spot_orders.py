"""Binance spot orders: new, test, query, cancel, cancel and replace, OCO."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from ...judge import Intent
from ...money import ROUND_DOWN, ZERO
from ...orders import BUY, Order, Refusal
from .call import SIGNED, Call, Endpoint
from .errors import BinanceError, words
from .forms import spot_order, spot_result
from .gate import READ, SPOT_TRADE
from .instruments import BY_SYMBOL, Symbol
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
from .spot_public import MOST_ALGO_ORDERS, MOST_ORDERS, ORDER_TYPES, PRICE_DOWN, PRICE_UP
from .wire import ms

if TYPE_CHECKING:
    from ...core import Exchange

_ENGINE = {
    "LIMIT": "limit",
    "LIMIT_MAKER": "limit",
    "MARKET": "market",
    "STOP_LOSS": "stop-loss",
    "STOP_LOSS_LIMIT": "stop-loss-limit",
    "TAKE_PROFIT": "take-profit",
    "TAKE_PROFIT_LIMIT": "take-profit-limit",
}
_UP, _DOWN = Decimal(PRICE_UP), Decimal(PRICE_DOWN)


class SpotOrders:
    """Handlers under /api/v3 that place, change and tell orders."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        trade, read = (SPOT_TRADE,), (READ,)
        base = "/api/v3/"
        return {
            ("POST", base + "order"): Endpoint(self.new, SIGNED, trade, 1, True, "AddOrder"),
            ("POST", base + "order/test"): Endpoint(self.test, SIGNED, trade),
            ("GET", base + "order"): Endpoint(self.query, SIGNED, read, 4, tells_orders=True),
            ("DELETE", base + "order"): Endpoint(self.cancel, SIGNED, trade, 1, alias="CancelOrder"),
            ("POST", base + "order/cancelReplace"): Endpoint(self.replace, SIGNED, trade, 1, True, "EditOrder"),
            ("GET", base + "openOrders"): Endpoint(self.open, SIGNED, read, -6, tells_orders=True),
            ("DELETE", base + "openOrders"): Endpoint(self.cancel_all, SIGNED, trade, 1, alias="CancelAll"),
            ("GET", base + "allOrders"): Endpoint(self.all, SIGNED, read, 20, tells_orders=True),
            ("POST", base + "orderList/oco"): Endpoint(self.oco, SIGNED, trade, 1, True),
            ("POST", base + "order/oco"): Endpoint(self.old_oco, SIGNED, trade, 1, True),
            ("DELETE", base + "orderList"): Endpoint(self.cancel_list, SIGNED, trade, 1, alias="CancelOrder"),
            ("GET", base + "orderList"): Endpoint(self.query_list, SIGNED, read, 4),
            ("GET", base + "openOrderList"): Endpoint(self.open_lists, SIGNED, read, 6),
        }

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, call: Call) -> Form:
        """Return the order that a request describes. Raises BinanceError for what cannot be read; filters come later."""
        symbol = call.symbol()
        side = side_of(call)
        kind = choice(call, "type", ORDER_TYPES, (-1116, "Invalid orderType."))
        item = symbol.instrument
        qty, cost = call.number("quantity"), call.number("quoteOrderQty")
        if kind == "MARKET":
            refuse_extra(call, "price", "timeInForce", "stopPrice")
            if (qty is None) == (cost is None):
                call.seen.bad("protocol", "MARKET takes either quantity or quoteOrderQty")
                raise BinanceError(-1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!")
        else:
            refuse_extra(call, "quoteOrderQty")
            call.needed("quantity")
        limit = stop = trail = None
        if kind in ("LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            call.needed("price")
            limit = call.number("price")
        if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
            call.needed("timeInForce")
        if kind in ("LIMIT_MAKER", "STOP_LOSS", "TAKE_PROFIT"):
            refuse_extra(call, "timeInForce")
        if kind in ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"):
            stop, trail = self._stop(call)
        tif = choice(call, "timeInForce", ("GTC", "IOC", "FOK"), (-1115, "Invalid timeInForce."), "GTC")
        precision(call, {"quantity": qty, "price": limit, "stopPrice": stop}, symbol)
        engine_kind = _ENGINE[kind]
        given_id = call.params.get("newClientOrderId") or None
        intent = Intent(item, side, engine_kind, qty, limit, stop, given_id, by_cost=cost is not None)
        order = Order(
            id="",
            account=call.account.name,
            symbol=item.symbol,
            side=side,
            type=engine_kind,
            qty=qty if qty is not None else self._by_cost(symbol, side, cost or ZERO),
            limit_price=limit,
            stop_price=stop,
            tif=tif,
            post_only=kind == "LIMIT_MAKER",
            client_id=client_id_of(call),
            stp=stp_of(call),
            trail_rate=trail,
            activation=stop if trail is not None else None,
        )
        if trail is not None:
            order.stop_price = None
        return Form(symbol, intent, order)

    @staticmethod
    def _stop(call: Call) -> tuple[Optional[Decimal], Optional[Decimal]]:
        """Return stop price and trailing distance (a fraction); one of them must be there."""
        bips = call.integer("trailingDelta", None, 10, 2000)
        if bips is None:
            call.needed("stopPrice")
        return call.number("stopPrice"), None if bips is None else Decimal(bips) / 10_000

    def _by_cost(self, symbol: Symbol, side: str, cost: Decimal) -> Decimal:
        """Return how much a market order gets for an amount of quote currency, by walking the book."""
        left, qty, item = cost, ZERO, symbol.instrument
        for price, level in self._exchange.engine.books[item.symbol].opposite(side).walk():
            take = min(level.total, left / price)
            qty, left = qty + take, left - take * price
            if left <= 0:
                break
        return qty.quantize(item.lot, rounding=ROUND_DOWN)

    # -- placing -------------------------------------------------------------------------------------------------------

    def _checked(self, call: Call) -> Form:
        form = self.read(call)
        call.seen.ok("protocol")
        self._exchange.judge.order(call.seen, call.account, form.intent)
        self._admit(call, form)
        return form

    def _admit(self, call: Call, form: Form) -> None:
        """Apply what the venue asks of a new order. Raises BinanceError."""
        order, symbol = form.order, form.symbol
        market_open(call, symbol, order.post_only)
        check_filters(self._exchange, order, symbol, _UP, _DOWN)
        own = mine(call, symbol)
        if len(own) >= MOST_ORDERS and call.account.tier != "unlimited":
            raise BinanceError(-1013, "Filter failure: MAX_NUM_ORDERS")
        if order.is_stop and sum(1 for item in own if item.is_stop) >= MOST_ALGO_ORDERS:
            raise BinanceError(-1013, "Filter failure: MAX_NUM_ALGO_ORDERS")
        if order.client_id is not None and self._taken(call, order.client_id):
            raise BinanceError(-2010, "Duplicate order sent.")
        last = self._exchange.engine.last_price[order.symbol]
        if order.is_stop and order.stop_price is not None:
            rising = (order.side == BUY) != order.type.startswith("take-profit")
            if (last >= order.stop_price) if rising else (last <= order.stop_price):
                raise BinanceError(-2010, "Stop price would trigger immediately.")
        strike_reject(call)

    def _taken(self, call: Call, client_id: str) -> bool:
        engine = self._exchange.engine
        known = engine.by_client.get((call.account.name, client_id))
        return known is not None and known in engine.open_by_account[call.account.name]

    def new(self, call: Call) -> Any:
        form = self._checked(call)
        kind = choice(
            call,
            "newOrderRespType",
            ("ACK", "RESULT", "FULL"),
            (-1130, "Invalid newOrderRespType."),
            "FULL" if form.order.type in ("market", "limit") else "ACK",
        )
        self.place(call, form.order)
        return spot_result(self._exchange, form.order, kind)

    def place(self, call: Call, order: Order) -> None:
        """Hand an order to the engine. Raises BinanceError."""
        exchange = self._exchange
        order.id = exchange.engine.ids.venue_order("binance")
        exchange.judge.sent(order, call.seen)
        exchange.effects.before_order(order)
        try:
            exchange.engine.submit(order, call.now)
        except Refusal as refusal:
            exchange.publish()
            raise words(refusal, False) from None
        exchange.publish()

    def test(self, call: Call) -> Any:
        form = self.read(call)
        check_filters(self._exchange, form.order, form.symbol, _UP, _DOWN)
        if call.flag("computeCommissionRates"):
            rate = {"maker": "0.00100000", "taker": "0.00100000"}
            return {"standardCommissionForOrder": rate}
        return {}

    # -- telling -------------------------------------------------------------------------------------------------------

    def query(self, call: Call) -> Any:
        return spot_order(self._exchange, find_order(call, call.symbol()))

    def _own(self, call: Call, orders: list[Order]) -> list[Order]:
        symbol = call.symbol_or_none()
        if symbol is not None:
            return [order for order in orders if order.symbol == symbol.instrument.symbol]
        return [order for order in orders if self._exchange.engine.instruments[order.symbol].contract is None]

    def open(self, call: Call) -> Any:
        rows = self._own(call, list(self._exchange.engine.open_by_account[call.account.name].values()))
        return [spot_order(self._exchange, order) for order in rows]

    def all(self, call: Call) -> Any:
        call.symbol()
        return [
            spot_order(self._exchange, order) for order in window(call, self._own(call, self._exchange.engine.orders_of(call.account.name)))
        ]

    # -- ending --------------------------------------------------------------------------------------------------------

    def _cancelled(self, call: Call, order: Order) -> dict[str, Any]:
        row = spot_order(self._exchange, order)
        for name in ("time", "updateTime", "isWorking", "workingTime", "icebergQty"):
            row.pop(name)
        if order.stop_price is None:
            row.pop("stopPrice")
        return {
            **row,
            "origClientOrderId": order.client_id,
            "clientOrderId": call.text("newClientOrderId") or client_id_of(Call(call.exchange, call.seen, call.market, {})),
            "transactTime": ms(call.now),
        }

    def cancel(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        symbol = call.symbol()
        order = find_order(call, symbol, cancel=True)
        strike_cancel(call)
        if order.list_id in self._exchange.engine.lists:
            return self._end_list(call, symbol, order)
        self._exchange.engine.cancel(order, call.now)
        self._exchange.publish()
        return self._cancelled(call, order)

    def cancel_all(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        symbol = call.symbol()
        orders = mine(call, symbol)
        strike_cancel(call)
        if not orders:
            raise BinanceError(-2011, "Unknown order sent.")
        lists = dict(self._exchange.engine.lists)
        for order in orders:
            if order.is_open:
                self._exchange.engine.cancel(order, call.now)
        self._exchange.publish()
        plain = [self._cancelled(call, order) for order in orders if order.list_id not in lists]
        listed = {order.list_id: order for order in orders if order.list_id in lists}
        return plain + [self._list(call, symbol, [self._exchange.engine.orders[item] for item in lists[str(name)]]) for name in listed]

    def replace(self, call: Call) -> Any:
        """cancelReplace: with STOP_ON_FAILURE nothing is placed when the cancel fails, with ALLOW_FAILURE it is tried all the same."""
        symbol = call.symbol()
        mode = choice(call, "cancelReplaceMode", ("STOP_ON_FAILURE", "ALLOW_FAILURE"), (-1130, "Invalid cancelReplaceMode."))
        old_call = Call(
            call.exchange,
            call.seen,
            call.market,
            {"symbol": symbol.id, "orderId": call.text("cancelOrderId"), "origClientOrderId": call.text("cancelOrigClientOrderId")},
            call.key,
            call.owner,
        )
        form = self.read(call)
        call.seen.ok("protocol")
        self._exchange.judge.order(call.seen, call.account, form.intent)
        cancelled: Any = None
        failure: Optional[BinanceError] = None
        try:
            order = find_order(old_call, symbol, cancel=True)
            strike_cancel(call)
            self._exchange.engine.cancel(order, call.now)
            self._exchange.publish()
            cancelled = self._cancelled(old_call, order)
        except BinanceError as error:
            failure = error
        if failure is not None and mode == "STOP_ON_FAILURE":
            raise BinanceError(
                -2022,
                "Order cancel-replace failed.",
                data={
                    "cancelResult": "FAILURE",
                    "newOrderResult": "NOT_ATTEMPTED",
                    "cancelResponse": failure.body(),
                    "newOrderResponse": None,
                },
            )
        try:
            self._admit(call, form)
            self.place(call, form.order)
        except BinanceError as error:
            both = failure is not None
            raise BinanceError(
                -2022 if both else -2021,
                "Order cancel-replace failed." if both else "Order cancel-replace partially failed.",
                409 if not both else 400,
                data={
                    "cancelResult": "FAILURE" if both else "SUCCESS",
                    "newOrderResult": "FAILURE",
                    "cancelResponse": failure.body() if failure is not None else cancelled,
                    "newOrderResponse": error.body(),
                },
            ) from None
        new = spot_result(self._exchange, form.order, call.text("newOrderRespType", "FULL"))
        if failure is not None:
            raise BinanceError(
                -2021,
                "Order cancel-replace partially failed.",
                409,
                data={"cancelResult": "FAILURE", "newOrderResult": "SUCCESS", "cancelResponse": failure.body(), "newOrderResponse": new},
            )
        return {"cancelResult": "SUCCESS", "newOrderResult": "SUCCESS", "cancelResponse": cancelled, "newOrderResponse": new}

    # -- lists ---------------------------------------------------------------------------------------------------------

    def oco(self, call: Call) -> Any:
        """orderList/oco: an order above and one below the price, one of them LIMIT_MAKER or take-profit, the other a stop."""
        symbol, side = call.symbol(), side_of(call)
        call.needed("quantity")
        legs = []
        for place in ("above", "below"):
            kind = choice(
                call,
                place + "Type",
                ("LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
                (-1116, "Invalid orderType."),
            )
            params = {"symbol": symbol.id, "side": call.params["side"], "type": kind, "quantity": call.params["quantity"]}
            for name, new in (
                ("Price", "price"),
                ("StopPrice", "stopPrice"),
                ("TimeInForce", "timeInForce"),
                ("ClientOrderId", "newClientOrderId"),
            ):
                if call.params.get(place + name):
                    params[new] = call.params[place + name]
            if kind.endswith("_LIMIT"):
                params.setdefault("timeInForce", "GTC")
            legs.append(self.read(Call(call.exchange, call.seen, call.market, params, call.key, call.owner)))
        plain = [form for form in legs if form.order.type == "limit"]
        stops = [form for form in legs if form.order.is_stop]
        if len(plain) != 1 or len(stops) != 1 or not stops[0].order.type.startswith("stop-loss"):
            call.seen.bad("protocol", "a list here is one LIMIT_MAKER and one stop")
            raise BinanceError(-1158, "This combination of order types is not accepted here: one leg is LIMIT_MAKER, the other a stop.")
        above_is_limit = legs[0].order.type == "limit"
        if above_is_limit == (side == BUY):
            call.seen.bad("protocol", "the legs are on the wrong sides of the price")
            raise BinanceError(-1165, "The relationship of the prices for the orders is not correct.")
        return self._place_list(call, symbol, plain[0], stops[0])

    def old_oco(self, call: Call) -> Any:
        """order/oco, the older form (deprecated by the venue, still sent by python-binance and others)."""
        symbol = call.symbol()
        side_of(call)
        base = {"symbol": symbol.id, "side": call.params["side"], "quantity": call.needed("quantity")}
        first = {**base, "type": "LIMIT_MAKER", "price": call.needed("price")}
        second = {**base, "type": "STOP_LOSS", "stopPrice": call.needed("stopPrice")}
        if call.params.get("stopLimitPrice"):
            second.update(
                {"type": "STOP_LOSS_LIMIT", "price": call.params["stopLimitPrice"], "timeInForce": call.text("stopLimitTimeInForce", "GTC")}
            )
        for params, name in ((first, "limitClientOrderId"), (second, "stopClientOrderId")):
            if call.params.get(name):
                params["newClientOrderId"] = call.params[name]
        forms = [self.read(Call(call.exchange, call.seen, call.market, params, call.key, call.owner)) for params in (first, second)]
        return self._place_list(call, symbol, forms[0], forms[1])

    def _place_list(self, call: Call, symbol: Symbol, plain: Form, stop: Form) -> Any:
        exchange = self._exchange
        call.seen.ok("protocol")
        for form in (plain, stop):
            exchange.judge.order(call.seen, call.account, form.intent)
            self._admit(call, form)
        for form in (stop, plain):
            form.order.id = exchange.engine.ids.venue_order("binance")
            exchange.judge.sent(form.order, call.seen)
        try:
            exchange.engine.submit_pair(plain.order, stop.order, call.now)
        except Refusal as refusal:
            raise words(refusal, False) from None
        finally:
            exchange.publish()
        row = self._list(call, symbol, [stop.order, plain.order])
        row["orderReports"] = [spot_result(exchange, form.order, "RESULT") for form in (stop, plain)]
        return row

    def _list(self, call: Call, symbol: Symbol, orders: list[Order]) -> dict[str, Any]:
        running = any(order.is_open for order in orders)
        return {
            "orderListId": int(orders[0].list_id or 0),
            "contingencyType": "OCO",
            "listStatusType": "EXEC_STARTED" if running else "ALL_DONE",
            "listOrderStatus": "EXECUTING" if running else "ALL_DONE",
            "listClientOrderId": call.text("listClientOrderId") or "list-%s" % orders[0].list_id,
            "transactionTime": ms(max(order.closed or order.created for order in orders)),
            "symbol": symbol.id,
            "orders": [{"symbol": symbol.id, "orderId": int(order.id), "clientOrderId": order.client_id} for order in orders],
        }

    def _end_list(self, call: Call, symbol: Symbol, order: Order) -> dict[str, Any]:
        engine = self._exchange.engine
        both = [engine.orders[item] for item in engine.lists[str(order.list_id)]]
        engine.cancel(order, call.now)
        self._exchange.publish()
        return {**self._list(call, symbol, both), "orderReports": [self._cancelled(call, item) for item in both]}

    def _lists(self, call: Call) -> dict[str, list[Order]]:
        out: dict[str, list[Order]] = {}
        for order in self._exchange.engine.orders_of(call.account.name):
            if order.list_id is not None:
                out.setdefault(order.list_id, []).append(order)
        return out

    def _symbol_of(self, orders: list[Order]) -> Symbol:
        return BY_SYMBOL[orders[0].symbol]

    def cancel_list(self, call: Call) -> Any:
        call.seen.intent = "cancel"
        symbol = call.symbol()
        number = str(call.integer("orderListId") or call.text("listClientOrderId").removeprefix("list-"))
        orders = [order for order in self._lists(call).get(number, []) if order.symbol == symbol.instrument.symbol and order.is_open]
        if not orders:
            raise BinanceError(-2011, "Unknown order list sent.")
        strike_cancel(call)
        return self._end_list(call, symbol, orders[0])

    def query_list(self, call: Call) -> Any:
        orders = self._lists(call).get(str(call.integer("orderListId") or call.text("origClientOrderId").removeprefix("list-")), [])
        if not orders:
            raise BinanceError(-2018, "Order list does not exist.")
        return self._list(call, self._symbol_of(orders), orders)

    def open_lists(self, call: Call) -> Any:
        rows = [orders for orders in self._lists(call).values() if any(order.is_open for order in orders)]
        return [self._list(call, self._symbol_of(orders), orders) for orders in rows]
