"""Kraken: spot, and margin where the profile uses it (docs.kraken.com). The guard's key may query and cancel, nothing else."""
from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple

from ..kill_switch.kill_switch import BATCH, Kraken, Refused
from . import decide
from .account import Account
from .entry import average_entry
from .kraken_rows import (
    MARGIN,
    Pair,
    balances_of,
    bases,
    equity_of,
    held_of,
    margin_of,
    margins_of,
    order_of,
    pairs_of,
    prices_of,
)
from .reading import ZERO, Held, Odd, Order, Reading, Second, amount, exposure_of, mapping, uncovered

#: what each call adds to the counter of the key (docs.kraken.com, REST rate limits); cancelling is counted by the trading engine
COST = {"OpenOrders": 1.0, "Balance": 1.0, "BalanceEx": 1.0, "QueryOrders": 1.0, "ClosedOrders": 1.0, "TradeBalance": 1.0,
        "OpenPositions": 1.0}
PAGE = 50
ENTRY_PAGES = 4         # closed orders that are looked through for what a position was bought at


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
