"""A USD-M futures account at Binance. Conditional orders live in a service of their own, with its own list and deletes, per symbol.

In one-way mode every order of ours is reduce-only; in hedge mode the venue refuses that flag, and the position's side takes its place.
"""
from __future__ import annotations

import contextlib
import json
import time
from decimal import Decimal
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .binance_calls import Binance
from .plan import Order, Position, Rule, View
from .venue import Fill, Venue
from .words import ZERO, Gone, Refused, Silent, exact, number, text_of

FUTURES_STOPS = ("STOP", "STOP_MARKET", "TRAILING_STOP_MARKET")


class FuturesAccount(Venue):
    """See Venue."""

    batch, per_symbol = 10, True

    def __init__(self, asks: Binance, trades: Binance, settings: Mapping[str, Any], priced: bool) -> None:
        self._asks, self._trades, self._priced = asks.of_futures(), trades.of_futures(), priced
        self._wanted = set(settings["pairs"])
        self._shared = settings.get("account") == "shared"
        self._prefix = str(settings.get("client_id_prefix") or "")
        self._rules: Dict[str, Rule] = {}
        self._unclear: Tuple[str, ...] = ()
        self._foreign = 0

    # -- reading ----------------------------------------------------------------------------------------------------------
    def open_orders(self) -> Tuple[Order, ...]:
        """Return the bot's orders of both services."""
        plain = self._asks.signed("GET", "/fapi/v1/openOrders")
        algo = self._asks.signed("GET", "/fapi/v1/openAlgoOrders")
        algo = algo.get("orders", algo) if isinstance(algo, dict) else algo
        if not isinstance(plain, list) or not isinstance(algo, list):
            raise Silent("the open orders have another form than documented")
        rows = [("order", one) for one in plain] + [("algo", one) for one in algo]
        mine = [(service, one) for service, one in rows if not self._shared or self._is_ours(service, one)]
        self._foreign = len(rows) - len(mine)
        self._unclear = tuple(str(one.get("orderId") or one.get("algoId")) for _, one in mine if one.get("side") not in ("BUY", "SELL"))
        return tuple(futures_order(service, one) for service, one in mine if one.get("side") in ("BUY", "SELL"))

    def _is_ours(self, service: str, raw: Mapping[str, Any]) -> bool:
        named = str(raw.get("clientAlgoId" if service == "algo" else "clientOrderId") or "")
        return bool(self._prefix) and named.startswith(self._prefix)

    def read(self, orders: Tuple[Order, ...]) -> View:
        """Return the reading; on a shared account what is in `pairs` is the bot's, because the venue nets positions by symbol."""
        positions, prices = [], {}
        for row in self._asks.signed("GET", "/fapi/v3/positionRisk"):
            size, symbol = exact(row["positionAmt"], "positionAmt"), str(row["symbol"])
            if not size or (self._shared and symbol not in self._wanted):
                continue
            side = str(row.get("positionSide") or "BOTH")
            leg = "" if side == "BOTH" else side
            long = size > 0 if not leg else leg == "LONG"
            positions.append(Position(symbol, symbol, "futures", "long" if long else "short", abs(size), leg))
            prices[symbol] = exact(row["markPrice"], "markPrice")
        if positions and not {one.symbol for one in positions} <= set(self._rules) and (self._priced or not self._rules):
            self._learn_rules()
        rules = {one.symbol: self._rules.get(one.symbol, Rule()) for one in positions}
        return View(orders, tuple(positions), prices, rules, self._unclear)

    def _learn_rules(self) -> None:
        for info in self._asks.public("/fapi/v1/exchangeInfo")["symbols"]:
            self._rules[str(info["symbol"])] = futures_rule(info)

    def left_alone(self) -> Dict[str, Any]:
        """Return how many open orders are not the bot's."""
        return {"foreign_orders": self._foreign}

    # -- acting -----------------------------------------------------------------------------------------------------------
    def cancel(self, orders: Sequence[Order]) -> List[str]:
        """Cancel orders of one symbol and service; conditional ones have no batch by id."""
        if orders[0].service == "order" and len(orders) > 1:
            answers = self._asks.signed("DELETE", "/fapi/v1/batchOrders", symbol=orders[0].symbol,
                                        orderIdList=json.dumps([int(one.id) for one in orders], separators=(",", ":")))
            refused = [one for one in answers if isinstance(one, dict) and int(one.get("code") or 0) < 0]
            hard = [one for one in refused if int(one["code"]) not in (-2011, -2013)]
            if hard:
                raise Refused("%s (%s)" % (hard[0].get("msg"), hard[0]["code"]))
            return [one.id for one in orders]
        for one in orders:
            with contextlib.suppress(Gone):
                self._delete(one)
        return [one.id for one in orders]

    def _delete(self, order: Order) -> Any:
        if order.service == "algo":
            return self._asks.signed("DELETE", "/fapi/v1/algoOrder", symbol=order.symbol, algoId=order.id)
        return self._asks.signed("DELETE", "/fapi/v1/order", symbol=order.symbol, orderId=order.id)

    def now(self) -> float:
        """Return the venue's clock."""
        return self._asks.now()

    def protect(self, position: Position, amount: Decimal, trigger: Decimal, client_id: str, until: Optional[float]) -> None:
        """Place a conditional market order that can only reduce."""
        self._trades.signed("POST", "/fapi/v1/algoOrder", until, algoType="CONDITIONAL", symbol=position.symbol,
                            side=position.exit_side.upper(), type="STOP_MARKET", triggerPrice=text_of(trigger), quantity=text_of(amount),
                            clientAlgoId=client_id, newOrderRespType="RESULT", **_only_reduces(position))

    def close(self, position: Position, amount: Decimal, limit: Decimal, until: Optional[float]) -> Fill:
        """Trade against the position at a limit, at once or not at all."""
        client_id = "%ss%x" % (self._prefix, time.time_ns() & 0xffffffff)
        done = self._trades.signed("POST", "/fapi/v1/order", until, symbol=position.symbol, side=position.exit_side.upper(), type="LIMIT",
                                   timeInForce="IOC", quantity=text_of(amount), price=text_of(limit), newClientOrderId=client_id,
                                   newOrderRespType="RESULT", **_only_reduces(position))
        filled, money = exact(done["executedQty"], "executedQty"), exact(done["cumQuote"], "cumQuote")
        return Fill(filled, money, self._fee(position.symbol, done["orderId"]) if filled > 0 else ZERO)

    def _fee(self, symbol: str, order_id: Any) -> Decimal:
        """Return what the venue took for an order; 0 where it does not say."""
        try:
            rows = self._asks.signed("GET", "/fapi/v1/userTrades", symbol=symbol, orderId=order_id)
            return sum((number(one.get("commission")) for one in rows), ZERO)
        except (Refused, Silent, TypeError, AttributeError):
            return ZERO


def _only_reduces(position: Position) -> Dict[str, str]:
    return {"positionSide": position.leg} if position.leg else {"reduceOnly": "true"}


def futures_order(service: str, raw: Mapping[str, Any]) -> Order:
    """Return an order of either service."""
    algo = service == "algo"
    kind = str(raw.get("orderType") if algo else raw.get("origType") or raw.get("type"))
    side, symbol = str(raw["side"]).lower(), str(raw["symbol"])
    left = number(raw.get("quantity")) if algo else max(ZERO, number(raw.get("origQty")) - number(raw.get("executedQty")))
    leg = str(raw.get("positionSide") or "BOTH")
    return Order(str(raw["algoId"] if algo else raw["orderId"]), symbol, symbol, "futures", side, kind in FUTURES_STOPS, left,
                 number(raw.get("triggerPrice") if algo else raw.get("stopPrice")), raw.get("reduceOnly") is True,
                 raw.get("closePosition") is True, "" if leg == "BOTH" else leg,
                 str(raw.get("clientAlgoId" if algo else "clientOrderId") or ""), service,
                 "%s %s %s %s" % (side, text_of(left), symbol, kind.lower()))


def futures_rule(info: Mapping[str, Any]) -> Rule:
    """Return a symbol's limits. The least value does not bind orders that only reduce; the largest order is that of the market."""
    filters = {one["filterType"]: one for one in info["filters"]}
    lot, market = filters.get("LOT_SIZE", {}), filters.get("MARKET_LOT_SIZE", {})
    most = min((number(one.get("maxQty")) for one in (lot, market) if number(one.get("maxQty")) > 0), default=ZERO)
    return Rule(number(lot.get("minQty")), number(lot.get("stepSize")), number(filters.get("PRICE_FILTER", {}).get("tickSize")), ZERO, most)
