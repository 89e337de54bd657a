"""Binance, spot and USD-M futures (developers.binance.com). The venue has no key that may only cancel; the guard's code sends nothing else.

What the two share is the signed line, the call weights and how orders are read; each market has its own lists and its own second endpoint.
"""
from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple

from ..kill_switch.kill_switch import (
    FUTURES_STOPS,
    SPOT_STOPS,
    Binance,
    Gone,
    Refused,
    Rule,
    futures_order,
    futures_rule,
    spot_rule,
    surely_opens,
)
from . import decide
from .account import Account
from .entry import average_entry
from .reading import ZERO, Held, Odd, Order, Reading, Second, amount, exposure_of, mapping, rows, uncovered

BATCH = 10              # ids in one futures batch
FILLS = 1000
#: weight of each call (developers.binance.com); a list of all symbols costs more than one of a single symbol
WEIGHT = {"/api/v3/account": 20.0, "/api/v3/openOrders": 80.0, "/api/v3/allOrders": 20.0, "/api/v3/order": 4.0, "/api/v3/myTrades": 20.0,
          "/api/v3/orderList": 4.0, "/api/v3/ticker/price": 4.0, "/api/v3/exchangeInfo": 20.0, "/sapi/v3/asset/getUserAsset": 5.0,
          "/fapi/v3/account": 5.0, "/fapi/v3/balance": 5.0, "/fapi/v3/positionRisk": 5.0, "/fapi/v1/openOrders": 40.0,
          "/fapi/v1/openAlgoOrders": 40.0, "/fapi/v1/allOrders": 5.0, "/fapi/v1/allAlgoOrders": 5.0, "/fapi/v1/order": 1.0,
          "/fapi/v1/algoOrder": 1.0, "/fapi/v1/exchangeInfo": 1.0, "/fapi/v1/batchOrders": 1.0}


class _BinanceWatch(Account):
    """What both markets share."""

    def __init__(self, venue: Binance, pairs: List[str], budget: decide.Budget, closed_every_s: float, prefix: str) -> None:
        super().__init__(pairs, budget, closed_every_s, prefix)
        self.venue = venue
        self.rules: Dict[str, Rule] = {}

    def _ask(self, path: str, method: str = "GET", *, urgent: bool = False, **params: Any) -> Any:
        if method != "DELETE":
            self._afford(WEIGHT[path], urgent=urgent)
        return self._called(path, lambda: self.venue.signed(method, path, **params))

    def _public(self, path: str, **params: Any) -> Any:
        self._afford(WEIGHT[path])
        return self._called(path, lambda: self.venue.public(path, **params))

    def _called(self, path: str, call: Any) -> Any:
        self._count(path)
        try:
            return call()
        except Refused as exc:
            if exc.limited:
                self._limited(exc)
            raise

    def _due(self, memory: decide.Memory, now: float, symbols: List[str]) -> None:
        """Read closed orders where it is time; what the budget does not allow is read later, from the same moment on."""
        asked, found = self._closed_due(), {}   # type: bool, Dict[str, Order]
        weight = sum(self._closed_weight() for _ in symbols)
        if asked and self.budget.level(time.monotonic()) + weight > self.budget.most - self.budget.reserve:
            asked = False
        if asked:
            since = int(self._since(memory) * 1000)
            for symbol in symbols:
                found.update(self._closed_of(symbol, since))
        self._keep_closed(found, memory, now, asked=asked)

    def _closed_weight(self) -> float:
        raise NotImplementedError

    def _closed_of(self, symbol: str, since_ms: int) -> Dict[str, Order]:
        raise NotImplementedError


class SpotWatch(_BinanceWatch):
    """Spot. Closed orders are told by symbol only: of a symbol outside `pairs` the guard sees open orders and the money that is gone."""

    confirmed_by: ClassVar[Mapping[str, str]] = {
        "drawdown_day": "getUserAsset", "drawdown_total": "getUserAsset", "exposure": "getUserAsset", "naked_position": "getUserAsset",
        "foreign_order": "order"}

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._info: Dict[str, Mapping[str, Any]] = {}
        self._prices: Dict[str, Decimal] = {}
        self._lists: Dict[int, str] = {}

    def read(self, memory: decide.Memory) -> Reading:
        """See Account."""
        if not self._info:
            self._learn()
        rows_ = rows(mapping(self._ask("/api/v3/account", omitZeroBalances="true"), "account").get("balances"), "balances")
        balances = {str(row.get("asset")): amount(row.get("free"), "free") + amount(row.get("locked"), "locked") for row in rows_}
        orders = self._orders(self._ask("/api/v3/openOrders"))
        self._learn_prices()
        now = time.time()
        self._due(memory, now, self.wanted)
        held = {key: one._replace(entry=self._entry(key, one.size, lambda one=one: self._bought_at(one)))
                for key, one in self._held(balances).items()}
        return Reading(now, self._equity(balances), held, orders, dict(self._closed))

    def second(self, finding: decide.Finding, reading: Reading) -> Second:
        """See Account."""
        key = finding.key.partition(":")[2]
        if finding.check == "foreign_order":
            symbol = {**reading.closed, **reading.orders}[key].pair
            try:
                row = self._ask("/api/v3/order", urgent=True, symbol=symbol, orderId=key)
            except Gone:
                return Second()
            return Second(client_id=self._order(mapping(row, "order")).client_id)
        wallet = {str(row.get("asset")): row for row in rows(self._ask("/sapi/v3/asset/getUserAsset", "POST", urgent=True), "getUserAsset")}
        free = {name: amount(row.get("free"), "free of %s" % name) for name, row in wallet.items()}
        balances = {name: free[name] + amount(row.get("locked"), "locked of %s" % name) for name, row in wallet.items()}
        return Second(self._equity(balances), exposure_of(self._held(balances)), free.get(key))

    def cancel(self, orders: List[Order]) -> None:
        """See Account."""
        for one in orders:
            try:
                self._ask("/api/v3/order", "DELETE", symbol=one.pair, orderId=one.id)
            except Gone:
                continue

    def open_now(self) -> Mapping[str, Order]:
        """See Account."""
        return self._orders(self._ask("/api/v3/openOrders", urgent=True))

    def _learn(self) -> None:
        names = json.dumps(sorted(self.wanted), separators=(",", ":"))
        listed = rows(mapping(self._public("/api/v3/exchangeInfo", symbols=names), "exchangeInfo").get("symbols"), "symbols")
        info = {str(row.get("symbol")): row for row in listed}
        missing = [name for name in self.wanted if name not in info]
        if missing:
            raise Odd("exchangeInfo does not name %s" % ", ".join(missing))
        self.rules, self._info = {name: spot_rule(dict(row)) for name, row in info.items()}, info

    def _learn_prices(self) -> None:
        names = json.dumps(sorted(self.wanted), separators=(",", ":"))
        found = {str(row.get("symbol")): amount(row.get("price"), "price") for row in rows(
            self._public("/api/v3/ticker/price", symbols=names), "prices")}
        missing = [name for name in self.wanted if not found.get(name)]
        if missing:
            raise Odd("ticker/price has no price of %s" % ", ".join(missing))
        self._prices = found

    def _base(self, symbol: str) -> str:
        return str(self._info[symbol].get("baseAsset")) if symbol in self._info else symbol

    def _held(self, balances: Mapping[str, Decimal]) -> Dict[str, Held]:
        found = {}
        for symbol in self.wanted:
            base, rule, price = self._base(symbol), self.rules[symbol], self._prices[symbol]
            if balances.get(base, ZERO) > 0:
                found[base] = Held(base, symbol, "long", balances[base], price, max(rule.minimum, rule.notional / price))
        return found

    def _equity(self, balances: Mapping[str, Decimal]) -> Decimal:
        quotes = {str(self._info[symbol].get("quoteAsset")) for symbol in self.wanted}
        return sum((balances.get(quote, ZERO) for quote in quotes), ZERO) + exposure_of(self._held(balances))

    def _bought_at(self, one: Held) -> Optional[Decimal]:
        """Return the average price of a position by its fills; what the venue took of the coin as commission was not bought."""
        if one.size < one.minimum:
            return None
        fills: List[Tuple[str, Decimal, Decimal]] = []
        for row in reversed(rows(self._ask("/api/v3/myTrades", symbol=one.pair, limit=FILLS), "myTrades")):
            volume, side = amount(row.get("qty"), "qty"), "buy" if row.get("isBuyer") is True else "sell"
            fee = amount(row.get("commission"), "commission") if row.get("commissionAsset") == one.key and side == "buy" else ZERO
            fills.append((side, volume - fee, amount(row.get("quoteQty"), "quoteQty")))
        return average_entry(one.size, fills)

    def _closed_weight(self) -> float:
        return WEIGHT["/api/v3/allOrders"]

    def _closed_of(self, symbol: str, since_ms: int) -> Dict[str, Order]:
        listed = rows(self._ask("/api/v3/allOrders", symbol=symbol, startTime=since_ms, limit=FILLS), "allOrders")
        return self._orders([row for row in listed if row.get("status") not in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")])

    def _orders(self, listed: Any) -> Dict[str, Order]:
        found = [self._order(row) for row in rows(listed, "orders")]
        return {one.id: one for one in found}

    def _order(self, row: Mapping[str, Any]) -> Order:
        side, symbol, closed = _side(row), str(row.get("symbol")), row.get("status") not in ("NEW", "PARTIALLY_FILLED", "PENDING_NEW", None)
        volume, done = amount(row.get("origQty"), "origQty"), amount(row.get("executedQty"), "executedQty")
        return Order(str(row.get("orderId")), symbol, self._base(symbol), side, row.get("type") in SPOT_STOPS, side == "buy",
                     max(ZERO, volume - done), done, amount(row.get("cummulativeQuoteQty") or "0", "cummulativeQuoteQty"),
                     amount(row.get("stopPrice") or "0", "stopPrice"), self._client_id(row), _seconds(row.get("time")),
                     _seconds(row.get("updateTime")) if closed else 0.0)

    def _client_id(self, row: Mapping[str, Any]) -> str:
        """Return the client's id: of a leg of an order list without one of its own, that of the list."""
        own, list_id = str(row.get("clientOrderId") or ""), row.get("orderListId", -1)
        if own.startswith(self.prefix) or not isinstance(list_id, int) or list_id < 0:
            return own
        if list_id not in self._lists:
            told = mapping(self._ask("/api/v3/orderList", orderListId=list_id), "orderList")
            self._lists[list_id] = str(told.get("listClientOrderId") or "")
        return self._lists[list_id] or own


class FuturesWatch(_BinanceWatch):
    """USD-M futures. Conditional orders live in a service of their own, with lists of its own."""

    confirmed_by: ClassVar[Mapping[str, str]] = {
        "drawdown_day": "balance", "drawdown_total": "balance", "exposure": "account", "naked_position": "allAlgoOrders",
        "foreign_order": "order"}

    def __init__(self, venue: Binance, *given: Any) -> None:
        super().__init__(venue.of_futures(), *given)
        self._child_of: Dict[str, str] = {}     # plain order that a conditional one became -> the client id of that

    def read(self, memory: decide.Memory) -> Reading:
        """See Account."""
        if not self.rules:
            listed = rows(mapping(self._public("/fapi/v1/exchangeInfo"), "exchangeInfo").get("symbols"), "symbols")
            self.rules = {str(row.get("symbol")): futures_rule(dict(row)) for row in listed}
        totals = mapping(self._ask("/fapi/v3/account"), "account")
        held = self._held(self._ask("/fapi/v3/positionRisk"))
        orders = {name: _in_sight_of(one, held) for name, one in self._open().items()}
        now = time.time()
        symbols = {*self.wanted, *(one.pair for one in held.values()), *(one.pair for one in orders.values())}
        self._due(memory, now, sorted(symbols))
        equity, need = amount(totals.get("totalMarginBalance"), "totalMarginBalance", signed=True), amount(
            totals.get("totalMaintMargin"), "totalMaintMargin")
        closed = {name: one for name, one in self._closed.items() if name not in orders}
        return Reading(now, equity, held, orders, closed, equity / need * 100 if need > 0 else None)

    def second(self, finding: decide.Finding, reading: Reading) -> Second:
        """See Account."""
        key = finding.key.partition(":")[2]
        if finding.check == "foreign_order":
            return self._second_of_order(key, {**reading.closed, **reading.orders}[key])
        if finding.check in ("drawdown_day", "drawdown_total"):
            listed = rows(self._ask("/fapi/v3/balance", urgent=True), "balance")
            return Second(equity=sum((amount(row.get("crossWalletBalance"), "crossWalletBalance", signed=True)
                                      + amount(row.get("crossUnPnl"), "crossUnPnl", signed=True) for row in listed
                                      if row.get("asset") in ("USDT", "USDC", "FDUSD", "BFUSD")), ZERO))
        positions = rows(mapping(self._ask("/fapi/v3/account", urgent=True), "account").get("positions"), "positions")
        if finding.check == "exposure":
            return Second(exposure=sum((abs(amount(row.get("notional"), "notional", signed=True)) for row in positions), ZERO))
        one = reading.held[key]
        size = sum((abs(amount(row.get("positionAmt"), "positionAmt", signed=True)) for row in positions if _key(row) == key), ZERO)
        if size <= 0:
            return Second()
        listed = rows(self._ask("/fapi/v1/allAlgoOrders", urgent=True, symbol=one.pair, limit=FILLS), "allAlgoOrders")
        waiting = self._read_orders("algo", [row for row in listed if row.get("algoStatus") == "NEW"])
        return Second(bare=uncovered({key: one._replace(size=size)}, waiting).get(key, ZERO))

    def _second_of_order(self, key: str, order: Order) -> Second:
        try:
            if order.service == "algo":
                row = self._ask("/fapi/v1/algoOrder", urgent=True, algoId=key.partition("-")[2])
            else:
                row = self._ask("/fapi/v1/order", urgent=True, symbol=order.pair, orderId=key)
        except Gone:
            return Second()
        return Second(client_id=next(iter(self._read_orders(order.service, [mapping(row, "order")]).values())).client_id)

    def cancel(self, orders: List[Order]) -> None:
        """See Account."""
        by_symbol: Dict[str, List[Order]] = {}
        for one in orders:
            if one.service == "order":
                by_symbol.setdefault(one.pair, []).append(one)
                continue
            try:
                self._ask("/fapi/v1/algoOrder", "DELETE", symbol=one.pair, algoId=one.id.partition("-")[2])
            except Gone:
                continue
        for symbol, mine in by_symbol.items():
            for start in range(0, len(mine), BATCH):
                self._cancel_batch(symbol, [int(one.id) for one in mine[start:start + BATCH]])

    def _cancel_batch(self, symbol: str, ids: List[int]) -> None:
        answers = self._ask("/fapi/v1/batchOrders", "DELETE", symbol=symbol, orderIdList=json.dumps(ids, separators=(",", ":")))
        for row in rows(answers, "batchOrders"):
            code = row.get("code")
            if isinstance(code, int) and code < 0 and code not in (-2011, -2013):
                raise Refused("%s (%d)" % (row.get("msg"), code))

    def open_now(self) -> Mapping[str, Order]:
        """See Account."""
        return self._open(urgent=True)

    def _open(self, *, urgent: bool = False) -> Dict[str, Order]:
        algo = self._ask("/fapi/v1/openAlgoOrders", urgent=urgent)
        plain = self._ask("/fapi/v1/openOrders", urgent=urgent)
        return {**self._read_orders("algo", rows(algo, "openAlgoOrders")), **self._read_orders("order", rows(plain, "openOrders"))}

    def _held(self, answer: Any) -> Dict[str, Held]:
        found = {}
        for row in rows(answer, "positionRisk"):
            size, symbol = amount(row.get("positionAmt"), "positionAmt", signed=True), str(row.get("symbol"))
            if not size:
                continue
            leg = str(row.get("positionSide") or "BOTH")
            long = size > 0 if leg == "BOTH" else leg == "LONG"
            entry = amount(row.get("entryPrice"), "entryPrice")
            found[_key(row)] = Held(_key(row), symbol, "long" if long else "short", abs(size), amount(row.get("markPrice"), "markPrice"),
                                    self.rules[symbol].minimum if symbol in self.rules else ZERO, entry if entry > 0 else None)
        return found

    def _closed_weight(self) -> float:
        return WEIGHT["/fapi/v1/allOrders"] + WEIGHT["/fapi/v1/allAlgoOrders"]

    def _closed_of(self, symbol: str, since_ms: int) -> Dict[str, Order]:
        algo = rows(self._ask("/fapi/v1/allAlgoOrders", symbol=symbol, startTime=since_ms, limit=FILLS), "allAlgoOrders")
        self._child_of.update({str(row["actualOrderId"]): str(row.get("clientAlgoId") or "") for row in algo if row.get("actualOrderId")})
        plain = rows(self._ask("/fapi/v1/allOrders", symbol=symbol, startTime=since_ms, limit=FILLS), "allOrders")
        return {**self._read_orders("algo", [row for row in algo if row.get("algoStatus") not in ("NEW", "TRIGGERING")]),
                **self._read_orders("order", [row for row in plain if row.get("status") not in ("NEW", "PARTIALLY_FILLED")])}

    def _read_orders(self, service: str, listed: List[Mapping[str, Any]]) -> Dict[str, Order]:
        found = [self._order(service, row) for row in listed]
        return {one.id: one for one in found}

    def _order(self, service: str, row: Mapping[str, Any]) -> Order:
        side, algo = _side(row), service == "algo"
        known = futures_order(service, row)
        name = ("algo-%s" if algo else "%s") % known.id
        volume = amount(row.get("quantity") or "0" if algo else row.get("origQty"), "quantity")
        done = ZERO if algo else amount(row.get("executedQty"), "executedQty")
        client_id = known.client_id if algo else self._child_of.get(known.id, known.client_id)
        ended = row.get("algoStatus" if algo else "status") not in ("NEW", "PARTIALLY_FILLED", "TRIGGERING", None)
        kind = str(row.get("orderType") if algo else row.get("origType") or row.get("type"))
        return Order(name, known.symbol, _key(row), side, kind in FUTURES_STOPS and not ended, surely_opens(known),
                     max(ZERO, volume - done), done, amount(row.get("cumQuote") or "0", "cumQuote"), known.trigger, client_id,
                     _seconds(row.get("createTime" if algo else "time")), _seconds(row.get("updateTime")) if ended else 0.0,
                     known.whole, service, not (known.reduces or known.whole or known.leg))


def _in_sight_of(order: Order, held: Mapping[str, Held]) -> Order:
    """Say of a conditional order that nothing holds to reducing whether it protects the position that is there, or opens one."""
    one = held.get(order.key)
    protects = one is not None and order.side == ("sell" if one.side == "long" else "buy")
    return order._replace(opens=not protects) if order.stop and order.may_turn else order


def _key(row: Mapping[str, Any]) -> str:
    leg = str(row.get("positionSide") or "BOTH")
    return str(row.get("symbol")) if leg == "BOTH" else "%s %s" % (row.get("symbol"), leg)


def _side(row: Mapping[str, Any]) -> str:
    if row.get("side") not in ("BUY", "SELL"):
        raise Odd("an order has no side")
    return str(row["side"]).lower()


def _seconds(value: Any) -> float:
    return float(amount(value or 0, "a time")) / 1000
