"""Asking the venue, within its call budget, by a key that may query and cancel. One thread at a time."""
from __future__ import annotations

import time
from typing import Any, Dict, List, Mapping

from ..kill_switch.kill_switch import BATCH, Kraken, Refused, Silent
from . import decide, reading
from .reading import Odd, Order, Pair, Reading

#: what each call adds to the counter of the key (docs.kraken.com, REST rate limits); cancelling is counted by the trading engine
COST = {"OpenOrders": 1.0, "Balance": 1.0, "BalanceEx": 1.0, "QueryOrders": 1.0, "ClosedOrders": 1.0,
        "TradeBalance": 1.0}
PAGE = 50
KEEP_CLOSED_S = 120.0
BEFORE_S = 300.0        # after a restart, orders that were closed this long before the last reading are read again
LOCKOUT_S = 60.0


class Skipped(Exception):
    """The call was not made: the budget does not allow it now."""


NO_WORD = (Refused, Silent, Odd, Skipped)


class Account:
    """The venue's word on one account."""

    def __init__(self, venue: Kraken, pairs: List[str], budget: decide.Budget, closed_every_s: float, prefix: str,
                 margin: bool = False) -> None:
        self.venue, self.budget = venue, budget
        self._wanted, self._closed_every_s, self._prefix = pairs, closed_every_s, prefix
        self.pairs: Dict[str, Pair] = {}
        self._margin = margin
        self._closed: Dict[str, Order] = {}
        self._closed_at, self._closed_to = float("-inf"), 0.0
        self._locked_until = float("-inf")
        self.calls: Dict[str, int] = {}

    def read(self, memory: decide.Memory) -> Reading:
        """Return one reading. Raises Refused, Silent, Odd or Skipped; then nothing is known.

        Balances come before orders: a buy that is filled in between is seen one reading later, and never as a position without a stop
        that was already there.
        """
        if not self.pairs:
            listed = reading.pairs_of(self._public("AssetPairs", pair=",".join(self._wanted)), self._wanted)
            self.pairs = listed
        self._afford(COST["Balance"] + COST["OpenOrders"] + (COST["TradeBalance"] if self._margin else 0.0))
        balances = reading.balances_of(self._private("Balance"))
        orders = reading.orders_of(self._private("OpenOrders"), "open")
        prices = reading.prices_of(self._public("Ticker", pair=",".join(sorted({pair.name for pair in self.pairs.values()}))), self.pairs)
        margin = reading.margin_of(self._private("TradeBalance")) if self._margin else None
        now = time.time()
        self._read_closed(memory, now)
        return Reading(now, balances, orders, prices, dict(self._closed), margin)

    def second(self, finding: decide.Finding) -> Any:
        """Return what the second endpoint says about a finding. Raises as `read`."""
        endpoint = decide.CONFIRMED_BY[finding.check]
        self._afford(COST[endpoint], urgent=True)
        if endpoint == "QueryOrders":
            return reading.orders_of(self._private(endpoint, txid=finding.key.partition(":")[2]), None)
        return reading.held_of(self._private(endpoint))

    def cancel(self, ids: List[str]) -> None:
        """Cancel by id; one that is gone is what was wanted. Raises Refused or Silent."""
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

    def open_now(self) -> Dict[str, Order]:
        """Return the open orders, urgently. Raises as `read`."""
        self._afford(COST["OpenOrders"], urgent=True)
        return reading.orders_of(self._private("OpenOrders"), "open")

    def _read_closed(self, memory: decide.Memory, now: float) -> None:
        since = self._closed_to or max(memory.watch_from, memory.seen_at - BEFORE_S)
        if time.monotonic() - self._closed_at >= self._closed_every_s:
            found: Dict[str, Order] = {}
            while True:
                if not self.budget.take(COST["ClosedOrders"], time.monotonic()):
                    return  # later, from the same moment on
                answer = self._private("ClosedOrders", start=int(since) - 1, ofs=len(found))
                page = reading.orders_of(answer, "closed")
                found.update(page)
                if len(page) < PAGE:
                    break
            self._closed.update(found)
            self._closed_at, self._closed_to = time.monotonic(), now - KEEP_CLOSED_S / 2
        self._closed = {txid: order for txid, order in self._closed.items() if order.closed > now - KEEP_CLOSED_S
                        or (not order.client_id.startswith(self._prefix) and txid not in memory.handled)}

    def _afford(self, cost: float, *, urgent: bool = False) -> None:
        now = time.monotonic()
        if now < self._locked_until:
            raise Skipped("the venue has locked the key out for a while")
        if not self.budget.take(cost, now, urgent=urgent):
            raise Skipped("the call budget is used up")

    def _private(self, call: str, **fields: Any) -> Any:
        self.calls[call] = self.calls.get(call, 0) + 1
        try:
            return self.venue.private(call, **fields)
        except Refused as exc:
            if "Rate limit" in str(exc):
                self.budget.full(time.monotonic())
            if "lockout" in str(exc):
                self._locked_until = time.monotonic() + LOCKOUT_S
            raise

    def _public(self, call: str, **fields: Any) -> Any:
        self.calls[call] = self.calls.get(call, 0) + 1
        return self.venue.public(call, **fields)


def told(calls: Mapping[str, int]) -> List[str]:
    """Return the calls as lines of metrics."""
    return ['golive_guard_venue_calls_total{call="%s"} %d' % (name, count) for name, count in sorted(calls.items())]
