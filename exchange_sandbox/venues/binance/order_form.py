"""What spot and futures orders have in common: reading the request, the venue's filters, and finding an order again."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Optional

from ...judge import Intent
from ...money import is_multiple, places
from ...orders import BUY, SELL, Order
from .call import Call
from .errors import NO_SUCH_ORDER, UNKNOWN_ORDER, BinanceError
from .instruments import Symbol

if TYPE_CHECKING:
    from ...core import Exchange

_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
#: Binance's word -> the engine's word for self-trade prevention
STP = {"EXPIRE_TAKER": "cancel-newest", "EXPIRE_MAKER": "cancel-oldest", "EXPIRE_BOTH": "cancel-both"}
STP_NAMES = {value: name for name, value in STP.items()}


@dataclass
class Form:
    """A readable order request."""

    symbol: Symbol
    intent: Intent
    order: Order


def choice(call: Call, name: str, allowed: tuple[str, ...], error: tuple[int, str], default: str = "") -> str:
    """Return one of the allowed words. Raises BinanceError."""
    value = call.text(name, default)
    if not value:
        value = call.needed(name)
    if value not in allowed:
        call.seen.bad("protocol", "%s is %s" % (name, value[:24]))
        raise BinanceError(*error)
    return value


def side_of(call: Call) -> str:
    return choice(call, "side", ("BUY", "SELL"), (-1117, "Invalid side.")).lower()


def client_id_of(call: Call, name: str = "newClientOrderId") -> str:
    """Return the client order id, one that the venue makes up where none was sent. Raises BinanceError."""
    value = call.params.get(name)
    if not value:
        return secrets.token_hex(11)
    if not _CLIENT_ID.fullmatch(value):
        call.seen.bad("protocol", "client order id of a wrong form")
        raise BinanceError(-1100, "Illegal characters found in parameter '%s'; legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'." % name)
    return value


def stp_of(call: Call) -> str:
    return STP[choice(call, "selfTradePreventionMode", tuple(STP), (-1130, "Invalid selfTradePreventionMode."), "EXPIRE_MAKER")]


def refuse_extra(call: Call, *names: str) -> None:
    """Refuse parameters that this order type does not take, as the venue does (-1106)."""
    for name in names:
        if call.params.get(name):
            call.seen.bad("protocol", "%s does not belong to this type" % name)
            raise BinanceError(-1106, "Parameter '%s' sent when not required." % name)


def precision(call: Call, values: dict[str, Optional[Decimal]], symbol: Symbol) -> None:
    """Refuse more decimals than the venue reads (-1111). A contract reads those of its tick and lot, spot eight."""
    item = symbol.instrument
    for name, value in values.items():
        if value is None:
            continue
        most = 8 if not symbol.contract else (item.lot_decimals if name == "quantity" else item.price_decimals)
        if places(value) > most:
            # The judge has its own word for it; the venue's is this one.
            raise BinanceError(-1111, "Parameter '%s' has too much precision." % name)


def check_filters(exchange: Exchange, order: Order, symbol: Symbol, price_up: Decimal, price_down: Decimal) -> None:
    """Apply price, lot and value filters. Raises BinanceError in the market's own words."""
    item = symbol.instrument
    spot = not symbol.contract

    def fail(name: str, code: int, text: str) -> BinanceError:
        return BinanceError(-1013, "Filter failure: %s" % name) if spot else BinanceError(code, text)

    for price in (order.limit_price, order.stop_price, order.activation):
        if price is None:
            continue
        if price <= 0:
            raise fail("PRICE_FILTER", -4001, "Price less than 0.")
        if not is_multiple(price, item.tick):
            raise fail("PRICE_FILTER", -4014, "Price not increased by tick size.")
    if not order.close_position:
        if order.qty < item.min_qty:
            raise fail("LOT_SIZE", -4003, "Quantity less than or equal to zero.")
        if order.qty > (symbol.max_market_qty if order.executes_at_market else symbol.max_qty):
            raise fail("LOT_SIZE", -4005, "Quantity greater than max quantity.")
        if not is_multiple(order.qty, item.lot):
            raise fail("LOT_SIZE", -4023, "Qty not increased by step size.")
        mark = exchange.engine.index_price[item.symbol] if symbol.contract else exchange.engine.last_price[item.symbol]
        price = order.limit_price or order.stop_price or mark
        if price * order.qty < item.min_notional and not (symbol.contract and order.reduce_only):
            raise fail(
                "NOTIONAL",
                -4164,
                "Order's notional must be no smaller than %s (unless you choose reduce only)." % format(item.min_notional, "f"),
            )
        if order.limit_price is not None:
            if order.limit_price > mark * price_up and (spot or order.side == BUY):
                raise fail("PERCENT_PRICE_BY_SIDE", -4016, "Limit price can't be higher than %s." % (mark * price_up).quantize(item.tick))
            if order.limit_price < mark * price_down and (spot or order.side == SELL):
                raise fail("PERCENT_PRICE_BY_SIDE", -4024, "Limit price can't be lower than %s." % (mark * price_down).quantize(item.tick))


def market_open(call: Call, symbol: Symbol, post_only: bool) -> None:
    """Refuse orders in a market that takes none. Raises BinanceError."""
    status = call.status(symbol)
    if status in ("maintenance", "cancel_only") or (status == "post_only" and not post_only):
        if symbol.contract:
            raise BinanceError(-4108, "This symbol is in reduce only mode, only reduceOnly orders are accepted.")
        raise BinanceError(-1013, "Market is closed.")


def strike_reject(call: Call) -> None:
    """Cruelty reject_orders: in the venue's words if the parameter is one of Binance's (`-2010 text`), else insufficient funds."""
    for cruelty in call.exchange.cruelties_of("reject_orders", call.account.name):
        if call.exchange.cruelties.strikes(cruelty):
            raise _words_of(str(cruelty.params["error"]), (-2010, "Account has insufficient balance for requested action."))


def strike_cancel(call: Call) -> None:
    """Cruelty cancel_fails_once."""
    for cruelty in call.exchange.cruelties_of("cancel_fails_once", call.account.name):
        if call.exchange.cruelties.strikes(cruelty):
            raise _words_of(str(cruelty.params["error"]), (-1001, "Internal error; unable to process your request. Please try again."))


def _words_of(text: str, default: tuple[int, str]) -> BinanceError:
    code, _, rest = text.partition(" ")
    if code.lstrip("-").isdigit() and code.startswith("-"):
        return BinanceError(int(code), rest or "Rejected.")
    return BinanceError(*default)


def mine(call: Call, symbol: Symbol) -> list[Order]:
    """Return the open orders of the account in a symbol."""
    name = symbol.instrument.symbol
    return [order for order in call.exchange.engine.open_by_account[call.account.name].values() if order.symbol == name]


def find_order(call: Call, symbol: Symbol, ids: tuple[str, str] = ("orderId", "origClientOrderId"), cancel: bool = False) -> Order:
    """Return an order of the account by the venue's or the client's id. Raises BinanceError."""
    number, client_id = call.params.get(ids[0]), call.params.get(ids[1])
    if not number and not client_id:
        call.seen.bad("protocol", "names no order")
        raise BinanceError(-1102, "Param '%s' or '%s' must be sent, but both were empty/null!" % (ids[1], ids[0]))
    engine, account = call.exchange.engine, call.account.name
    if number:
        call.integer(ids[0])
        order = engine.history[account].get(number.lstrip("0"))
    else:
        order = engine.history[account].get(engine.by_client.get((account, str(client_id)), ""))
    if order is None or order.symbol != symbol.instrument.symbol or (cancel and not order.is_open):
        raise BinanceError(*(UNKNOWN_ORDER if cancel else NO_SUCH_ORDER))
    return order


def window(call: Call, orders: list[Order]) -> list[Order]:
    """Return what lies in startTime and endTime and from orderId on, oldest first, cut to the limit."""
    start, end, first = call.integer("startTime"), call.integer("endTime"), call.integer("orderId")
    rows = [
        order
        for order in orders
        if (start is None or order.created * 1000 >= start)
        and (end is None or order.created * 1000 <= end)
        and (first is None or int(order.id) >= first)
    ]
    count = call.limit(500, 1000)
    return rows[:count] if start is not None or first is not None else rows[-count:]
