"""What every venue's account has in common for the guard: its call budget, what was asked, and how long a closed order is remembered."""
from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Tuple

from ..kill_switch.kill_switch import Refused, Silent
from . import decide
from .reading import Odd, Order, Reading, Second

KEEP_CLOSED_S = 120.0
BEFORE_S = 300.0        # after a restart, orders that were closed this long before the last reading are read again
LOCKOUT_S = 60.0


class Skipped(Exception):
    """The call was not made: the budget does not allow it now."""


NO_WORD = (Refused, Silent, Odd, Skipped)


class Account:
    """The venue's word on one account. One thread at a time."""

    #: check -> the second endpoint that can agree with a finding; only these may kill
    confirmed_by: ClassVar[Mapping[str, str]] = {}

    def __init__(self, pairs: List[str], budget: decide.Budget, closed_every_s: float, prefix: str) -> None:
        self.wanted, self.budget, self.prefix = pairs, budget, prefix
        self.calls: Dict[str, int] = {}
        self._closed_every_s = closed_every_s
        self._closed: Dict[str, Order] = {}
        self._closed_at, self._closed_to = float("-inf"), 0.0
        self._locked_until = float("-inf")
        self._entries: Dict[str, Tuple[Decimal, Optional[Decimal]]] = {}    # key -> (size it was asked for, average price)

    def read(self, memory: decide.Memory) -> Reading:
        """Return one reading. Raises Refused, Silent, Odd or Skipped; then nothing is known.

        Positions come before orders: one that is opened in between is seen one reading later, and never without a stop that was there.
        """
        raise NotImplementedError

    def second(self, finding: decide.Finding, reading: Reading) -> Second:
        """Return what a second endpoint says about a finding. Raises as `read`."""
        raise NotImplementedError

    def cancel(self, orders: List[Order]) -> None:
        """Cancel by id; one that is gone is what was wanted. Raises Refused or Silent."""
        raise NotImplementedError

    def open_now(self) -> Mapping[str, Order]:
        """Return the open orders, urgently. Raises as `read`."""
        raise NotImplementedError

    # -- for the venues ---------------------------------------------------------------------------------------------------
    def _since(self, memory: decide.Memory) -> float:
        """Return from when on closed orders are asked for."""
        return self._closed_to or max(memory.watch_from, memory.seen_at - BEFORE_S)

    def _closed_due(self) -> bool:
        return time.monotonic() - self._closed_at >= self._closed_every_s

    def _keep_closed(self, found: Mapping[str, Order], memory: decide.Memory, now: float, *, asked: bool) -> None:
        """Remember closed orders for two minutes; foreign ones until they are dealt with."""
        self._closed.update(found)
        if asked:
            self._closed_at, self._closed_to = time.monotonic(), now - KEEP_CLOSED_S / 2
        self._closed = {name: order for name, order in self._closed.items() if order.closed > now - KEEP_CLOSED_S
                        or (not order.client_id.startswith(self.prefix) and name not in memory.handled)}

    def _afford(self, cost: float, *, urgent: bool = False) -> None:
        now = time.monotonic()
        if now < self._locked_until:
            raise Skipped("the venue has locked the key out for a while")
        if not self.budget.take(cost, now, urgent=urgent):
            raise Skipped("the call budget is used up")

    def _count(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1

    def _limited(self, exc: Refused) -> None:
        """The venue asked for fewer calls: its counter is full, whatever ours says."""
        self.budget.full(time.monotonic())
        if exc.wait_s or "lockout" in str(exc):
            self._locked_until = time.monotonic() + (exc.wait_s or LOCKOUT_S)

    def _entry(self, key: str, size: Decimal, ask: Any) -> Optional[Decimal]:
        """Return the average entry price; asked for when the size has changed. What cannot be afforded is asked for later."""
        known = self._entries.get(key)
        if known is None or known[0] != size:
            try:
                known = self._entries[key] = (size, ask())
            except Skipped:
                return None
        return known[1]


def told(calls: Mapping[str, int]) -> List[str]:
    """Return the calls as lines of metrics."""
    return ['golive_guard_venue_calls_total{call="%s"} %d' % (name, count) for name, count in sorted(calls.items())]
