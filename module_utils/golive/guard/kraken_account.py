"""Kraken: spot, and margin where the profile uses it (docs.kraken.com). The guard's key may query and cancel, nothing else."""
from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, ClassVar, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ..kill_switch.kill_switch import BATCH, STOP_TYPES, Kraken, Refused
from . import decide
from .account import Account
from .entry import average_entry
from .reading import ZERO, Held, Odd, Order, Reading, Second, amount, exposure_of, mapping, uncovered

#: what each call adds to the counter of the key (docs.kraken.com, REST rate limits); cancelling is counted by the trading engine
COST = {"OpenOrders": 1.0, "Balance": 1.0, "BalanceEx": 1.0, "QueryOrders": 1.0, "ClosedOrders": 1.0, "TradeBalance": 1.0,
        "OpenPositions": 1.0}
PAGE = 50
MARGIN = " margin"     # what the key of a position on margin ends with
ENTRY_PAGES = 4         # closed orders that are looked through for what a position was bought at


class Pair(NamedTuple):
    """A pair: the venue's names, and the smallest order (base currency)."""

    name: str
    names: List[str]
    base: str
    quote: str
    minimum: Decimal


class KrakenWatch(Account):
    """See Account."""

    confirmed_by: ClassVar[Mapping[str, str]] = {
        "drawdown_day": "BalanceEx", "drawdown_total": "BalanceEx", "exposure": "BalanceEx", "naked_position": "BalanceEx",
        "foreign_order": "QueryOrders"}

    def __init__(self, venue: Kraken, pairs: List[str], budget: decide.Budget, closed_every_s: float, prefix: str,
                 margin: bool = False) -> None:
        super().__init__(pairs, budget, closed_every_s, prefix)
        self.venue, self._margin = venue, margin
        self.pairs: Dict[str, Pair] = {}
        self._prices: Dict[str, Decimal] = {}

    def read(self, memory: decide.Memory) -> Reading:
        """See Account."""
        if not self.pairs:
            self.pairs = pairs_of(self._public("AssetPairs", pair=",".join(self.wanted)), self.wanted)
        asked = ["Balance", "OpenOrders", *(["TradeBalance", "OpenPositions"] if self._margin else [])]
        self._afford(sum(COST[call] for call in asked))
        balances = balances_of(self._private("Balance"))
        positions = mapping(self._private("OpenPositions"), "OpenPositions") if self._margin else {}
        orders = self._orders(self._private("OpenOrders"), "open")
        self._prices = prices_of(self._public("Ticker", pair=",".join(sorted({pair.name for pair in self.pairs.values()}))), self.pairs)
        profit, level = margin_of(self._private("TradeBalance")) if self._margin else (ZERO, None)
        now = time.time()
        self._read_closed(memory, now)
        spot = {key: one._replace(entry=self._entry(key, one.size, lambda one=one: self._bought_at(one, orders)))
                for key, one in self._spot(balances).items()}
        held = {**spot, **margins_of(positions, self.pairs, self._prices)}
        return Reading(now, equity_of(balances, self._prices, self.pairs) + profit, held, orders, dict(self._closed), level)

    def second(self, finding: decide.Finding, reading: Reading) -> Second:
        """See Account."""
        endpoint, key = self.confirmed_by[finding.check], finding.key.partition(":")[2]
        if finding.check == "naked_position" and key.endswith(MARGIN):
            return self._second_of_margin(key)
        self._afford(COST[endpoint] + (COST["OpenPositions"] if self._margin else 0.0), urgent=True)
        if endpoint == "QueryOrders":
            found = self._orders(self._private(endpoint, txid=key), None).get(key)
            return Second(client_id=None if found is None else found.client_id)
        wallet = held_of(self._private(endpoint))
        balances, row = {name: one["balance"] for name, one in wallet.items()}, wallet.get(key)
        margins, profit = self._margins() if self._margin else ({}, ZERO)
        return Second(equity_of(balances, self._prices, self.pairs) + profit, exposure_of({**self._spot(balances), **margins}),
                      row["balance"] - row["hold"] if row else None)

    def _second_of_margin(self, key: str) -> Second:
        """Ask how much margin is in use; only where there is some, ask for positions and then orders once more."""
        self._afford(COST["TradeBalance"] + COST["OpenPositions"] + COST["OpenOrders"], urgent=True)
        if amount(mapping(self._private("TradeBalance"), "TradeBalance").get("m"), "m") <= 0:
            return Second()
        position = self._margins()[0].get(key)
        orders = self._orders(self._private("OpenOrders"), "open")
        return Second(bare=None if position is None else uncovered({key: position}, orders).get(key, ZERO))

    def _margins(self) -> Tuple[Dict[str, Held], Decimal]:
        answer = mapping(self._private("OpenPositions", docalcs="true"), "OpenPositions")
        profit = sum((amount(row.get("net") or "0", "net of a position", signed=True) for row in answer.values()), ZERO)
        return margins_of(answer, self.pairs, self._prices), profit

    def cancel(self, orders: List[Order]) -> None:
        """See Account."""
        ids = [one.id for one in orders]
        for start in range(0, len(ids), BATCH):
            part = ids[start:start + BATCH]
            try:
                if len(part) == 1:
                    self._private("CancelOrder", txid=part[0])
                else:
                    self._private("CancelOrderBatch", orders=part)
            except Refused as exc:
                if "Unknown order" not in str(exc):
                    raise

    def open_now(self) -> Mapping[str, Order]:
        """See Account."""
        self._afford(COST["OpenOrders"], urgent=True)
        return self._orders(self._private("OpenOrders"), "open")

    # -- spot -------------------------------------------------------------------------------------------------------------
    def _spot(self, balances: Mapping[str, Decimal]) -> Dict[str, Held]:
        found = {}
        for base, pair in bases(self.pairs).items():
            size = balances.get(base, ZERO)
            if size > 0:
                found[base] = Held(base, pair.name, "long", size, self._prices[pair.name], pair.minimum)
        return found

    def _bought_at(self, one: Held, open_orders: Mapping[str, Order]) -> Optional[Decimal]:
        """Return the average price of a spot position by the orders that filled; None: they do not reach back to its start."""
        if one.size < one.minimum:
            return None
        fills = _fills(one.key, open_orders)
        for page in range(ENTRY_PAGES):
            found = average_entry(one.size, fills)
            if found is not None:
                return found
            self._afford(COST["ClosedOrders"])
            orders = self._orders(self._private("ClosedOrders", ofs=page * PAGE), "closed")
            fills += _fills(one.key, orders)
            if len(orders) < PAGE:
                break
        return average_entry(one.size, fills)

    # -- orders -----------------------------------------------------------------------------------------------------------
    def _orders(self, answer: Any, part: Optional[str]) -> Dict[str, Order]:
        """Return the orders of OpenOrders (`open`), ClosedOrders (`closed`) or QueryOrders (None)."""
        rows = mapping(answer, "orders")
        if part is not None:
            if part not in rows:
                raise Odd("the answer has no %s orders" % part)
            rows = mapping(rows[part], part)
        return {txid: order_of(txid, row, self.pairs) for txid, row in rows.items()}

    def _read_closed(self, memory: decide.Memory, now: float) -> None:
        asked, found = self._closed_due(), {}   # type: bool, Dict[str, Order]
        since = self._since(memory)
        while asked:
            if not self.budget.take(COST["ClosedOrders"], time.monotonic()):
                return  # later, from the same moment on
            page = self._orders(self._private("ClosedOrders", start=int(since) - 1, ofs=len(found)), "closed")
            found.update(page)
            if len(page) < PAGE:
                break
        self._keep_closed(found, memory, now, asked=asked)

    # -- calls ------------------------------------------------------------------------------------------------------------
    def _private(self, call: str, **fields: Any) -> Any:
        self._count(call)
        try:
            return self.venue.private(call, **fields)
        except Refused as exc:
            if "Rate limit" in str(exc) or "lockout" in str(exc):
                self._limited(exc)
            raise

    def _public(self, call: str, **fields: Any) -> Any:
        self._count(call)
        return self.venue.public(call, **fields)


def _fills(key: str, orders: Mapping[str, Order]) -> List[Tuple[str, Decimal, Decimal]]:
    """Return (side, amount, money) of what orders of a position traded, the newest first."""
    done = [order for order in orders.values() if order.key == key and order.done > 0]
    done.sort(key=lambda order: -(order.closed or order.opened))
    return [(order.side, order.done, order.cost) for order in done]


def pairs_of(listed: Any, wanted: List[str]) -> Dict[str, Pair]:
    """Return AssetPairs by every name of a pair. Raises Odd when a wanted pair is missing."""
    found: Dict[str, Pair] = {}
    for key, row in mapping(listed, "AssetPairs").items():
        about = mapping(row, "AssetPairs.%s" % key)
        names = [str(name) for name in (key, about.get("altname"), about.get("wsname")) if name]
        if not isinstance(about.get("base"), str) or not isinstance(about.get("quote"), str):
            raise Odd("AssetPairs.%s names no base and quote" % key)
        pair = Pair(key, names, about["base"], about["quote"], amount(about.get("ordermin"), "ordermin of %s" % key))
        found.update(dict.fromkeys(names, pair))
    missing = [name for name in wanted if name not in found]
    if missing:
        raise Odd("AssetPairs does not name %s" % ", ".join(missing))
    return found


def bases(pairs: Mapping[str, Pair]) -> Dict[str, Pair]:
    """Return the pair by which each base asset is priced."""
    return {pair.base: pair for pair in pairs.values()}


def equity_of(balances: Mapping[str, Decimal], prices: Mapping[str, Decimal], pairs: Mapping[str, Pair]) -> Decimal:
    """Return quote currency and the bot's base assets. Anything else counts as gone: it was bought with our money."""
    quotes = {pair.quote for pair in pairs.values()}
    cash = sum((balances.get(quote, ZERO) for quote in quotes), ZERO)
    return cash + sum((balances.get(base, ZERO) * prices[pair.name] for base, pair in bases(pairs).items()), ZERO)


def balances_of(answer: Any) -> Dict[str, Decimal]:
    """Return Balance as {asset: amount}. Quote currency may be negative where margin is used."""
    return {name: amount(value, "balance of %s" % name, signed=True) for name, value in mapping(answer, "Balance").items()}


def held_of(answer: Any) -> Dict[str, Dict[str, Decimal]]:
    """Return BalanceEx as {asset: {balance, hold}}: the second endpoint that says what is there, and what open orders hold of it."""
    found = {}
    for name, row in mapping(answer, "BalanceEx").items():
        about = mapping(row, "BalanceEx.%s" % name)
        found[name] = {"balance": amount(about.get("balance"), "balance of %s" % name, signed=True),
                       "hold": amount(about.get("hold_trade", "0"), "hold_trade of %s" % name)}
    return found


def margin_of(answer: Any) -> Tuple[Decimal, Optional[Decimal]]:
    """Return TradeBalance's profit of open positions, and its margin level in percent, None while none is used (`ml` is absent then)."""
    about = mapping(answer, "TradeBalance")
    level = amount(about["ml"], "ml") if about.get("ml") not in (None, "") else None
    return amount(about.get("n") or "0", "n", signed=True), level


def margins_of(answer: Mapping[str, Any], pairs: Mapping[str, Pair], prices: Mapping[str, Decimal]) -> Dict[str, Held]:
    """Return OpenPositions netted by pair, as the venue closes them."""
    size: Dict[str, Decimal] = {}
    paid: Dict[str, Decimal] = {}
    for txid, row in answer.items():
        about = mapping(row, "position %s" % txid)
        pair = pairs.get(str(about.get("pair")))
        if pair is None or about.get("type") not in ("buy", "sell"):
            raise Odd("position %s is of a pair that the guard does not know, or has no side" % txid)
        volume, cost = amount(about.get("vol"), "vol of %s" % txid), amount(about.get("cost"), "cost of %s" % txid)
        left = volume - amount(about.get("vol_closed") or "0", "vol_closed of %s" % txid)
        sign = 1 if about["type"] == "buy" else -1
        size[pair.name] = size.get(pair.name, ZERO) + sign * left
        paid[pair.name] = paid.get(pair.name, ZERO) + (sign * cost * left / volume if volume else ZERO)
    found = {}
    for name, net in size.items():
        if net:
            found[name + MARGIN] = Held(name + MARGIN, name, "long" if net > 0 else "short", abs(net), prices[name], pairs[name].minimum,
                                        paid[name] / net if paid[name] / net > 0 else None)
    return found


def order_of(txid: str, row: Any, pairs: Mapping[str, Pair]) -> Order:
    """Return an order. Raises Odd."""
    order = mapping(row, "order %s" % txid)
    about = mapping(order.get("descr"), "descr of %s" % txid)
    side, kind = about.get("type"), about.get("ordertype")
    if side not in ("buy", "sell") or not isinstance(kind, str):
        raise Odd("order %s has no side and type" % txid)
    volume, executed = amount(order.get("vol"), "vol of %s" % txid), amount(order.get("vol_exec"), "vol_exec of %s" % txid)
    margin, stop = about.get("leverage", "none") not in ("none", None), kind in STOP_TYPES
    pair = pairs.get(str(about.get("pair")))
    name = pair.name if pair else str(about.get("pair"))
    trigger = str(about.get("price") or "0")
    return Order(txid, name, name + MARGIN if margin else pair.base if pair else name, side, stop,
                 (order.get("reduce_only") is not True and not stop) if margin else side == "buy", max(ZERO, volume - executed), executed,
                 amount(order.get("cost"), "cost of %s" % txid), ZERO if trigger[:1] in "+-#" else amount(trigger, "price of %s" % txid),
                 str(order.get("cl_ord_id") or ""), float(amount(order.get("opentm") or 0, "opentm of %s" % txid)),
                 float(amount(order.get("closetm") or 0, "closetm of %s" % txid)))


def prices_of(answer: Any, pairs: Mapping[str, Pair]) -> Dict[str, Decimal]:
    """Return Ticker as {pair: last price}. Raises Odd when a pair has none."""
    found = {}
    for name, row in mapping(answer, "Ticker").items():
        last = mapping(row, "Ticker.%s" % name).get("c")
        price = amount(last[0] if isinstance(last, list) and last else None, "price of %s" % name)
        if name in pairs and price > 0:
            found[pairs[name].name] = price
    missing = sorted({pair.name for pair in pairs.values()} - set(found))
    if missing:
        raise Odd("Ticker has no price of %s" % ", ".join(missing))
    return found
