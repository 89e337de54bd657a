"""The rules by which requests are judged. A rule speaks only where it had something to judge; what it cannot know is unjudged."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Optional

from .accounts import Account
from .clock import Clock
from .engine import Engine
from .instruments import Instrument
from .money import ZERO, is_multiple
from .orders import BUY, SELL, Fill, Order
from .profile import in_downtime
from .seen import Seen

RULES = {
    "key_known": "the key exists, is not revoked and not expired",
    "ip": "the request comes from an address of the key's allow-list",
    "signature": "the signature is the one the venue computes over the bytes that were sent",
    "nonce_rising": "each nonce of a key is higher than every one before (or unused within the key's nonce window)",
    "timestamp": "a deadline or timestamp lies in the window that the venue accepts",
    "key_right": "the key has the right that the endpoint asks for",
    "rate_budget": "the request stays within the venue's counters for the account's tier",
    "protocol": "path, method, encoding and parameters are ones that the venue documents",
    "filters": "price, quantity and value keep tick size, lot size and minimums",
    "duplicate_client_id": "a client order id is not used by another open order",
    "idempotent_retry": "after a lost acknowledgement the venue is asked, or the same client order id sent, before another order",
    "order_without_stop": "each filled entry is covered by a stop within the declared time",
    "entry_on_stale_data": "an entry rests on market data younger than the declared age",
    "order_in_downtime": "no order (exits where the profile allows them) in the declared downtime",
    "order_in_paper_mode": "an account declared as paper sends no order",
    "second_writer": "one key is used by one writer; two that interleave share it",
    "withdrawal": "nobody asks for a withdrawal",
}
#: order types that protect a position
STOPS = ("stop-loss", "trailing-stop")
#: an unacknowledged order is remembered so long (exchange seconds)
UNACKNOWLEDGED_S = 300.0
#: how long a stop may be on its way to the venue, or its sale, when a verdict falls
ON_ITS_WAY_S = 1.0
#: entries of an account whose requests are remembered until they are filled
MOST_ENTRIES = 500


@dataclass
class Intent:
    """What an order request means, in words that no venue owns."""

    instrument: Instrument
    side: str
    type: str
    qty: Optional[Decimal]
    limit_price: Optional[Decimal]
    stop_price: Optional[Decimal]
    client_id: Optional[str]
    reduce_only: bool = False
    #: quantity is in quote currency
    by_cost: bool = False
    has_close: bool = False
    #: what the order does to a position of a perpetual: entry, exit or protect
    effect: str = ""

    @property
    def kind(self) -> str:
        """entry = a buy (spot), protect = a selling stop, exit = any other sell; of a perpetual what it does to the position."""
        if self.effect:
            return self.effect
        if self.side == BUY and not self.reduce_only:
            return "entry"
        return "protect" if self.type.startswith(STOPS) else "exit"


@dataclass
class _Lost:
    symbol: str
    side: str
    client_id: Optional[str]
    at: float


@dataclass(frozen=True, slots=True)
class Asked:
    """As much of an entry's request as its late verdict tells: it waits as long as the account declares, and there may be many."""

    id: int
    endpoint: str
    params: dict[str, str]


@dataclass(slots=True, order=True)
class _Due:
    at: float
    symbol: str = field(compare=False)
    within: float = field(compare=False)
    seen: Optional[Asked] = field(compare=False)


@dataclass
class _Memory:
    lost: list[_Lost] = field(default_factory=list)
    #: (real time, writer) of the last requests per key
    writers: dict[str, deque[tuple[float, str]]] = field(default_factory=dict)
    net: dict[str, Decimal] = field(default_factory=dict)
    #: verdicts on entries, a heap by the time at which they fall
    due: list[_Due] = field(default_factory=list)
    #: since when a symbol with verdicts due has been without a stop, None while it is covered
    naked_since: dict[str, Optional[float]] = field(default_factory=dict)
    entries: dict[str, Asked] = field(default_factory=dict)


class Judge:
    """Holds what the rules remember between requests."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._memory: dict[str, _Memory] = {}
        #: (source address, symbol) -> exchange time of the newest market data delivered there
        self._delivered: dict[tuple[str, str], float] = {}
        #: verdicts that came after the answer: (seen, rule, verdict, why)
        self.late: deque[tuple[Optional[Asked], str, str, str, str]] = deque()

    def _of(self, account: str) -> _Memory:
        return self._memory.setdefault(account, _Memory())

    def delivered(self, source: str, symbol: str, as_of: float) -> None:
        """Remember how old the market data was that an address has got."""
        known = self._delivered.get((source, symbol), 0.0)
        if as_of > known:
            self._delivered[(source, symbol)] = as_of

    # -- who -----------------------------------------------------------------------------------------------------------

    def writer(self, seen: Seen, account: Account, key_id: str) -> None:
        """Two writers interleave when A, then B, then A again use one key within the window."""
        window = float(account.profile.get("writer_window_s", 60))
        name = "%s %s" % (seen.source, seen.agent)
        writers = self._of(account.name).writers
        history = writers.get(key_id)
        if history is None:
            history = writers[key_id] = deque(maxlen=256)
        if len(history) == 1 and history[0][1] == name:
            # The usual case: nobody else has written yet.
            history[0] = (seen.real, name)
            seen.ok("second_writer")
            return
        while history and history[0][0] < seen.real - window:
            history.popleft()
        others = {writer for _, writer in history if writer != name}
        last_own = max((at for at, writer in history if writer == name), default=None)
        between = last_own is not None and any(at > last_own for at, writer in history if writer != name)
        if between:
            seen.bad("second_writer", "%d writers interleave on one key" % (len(others) + 1))
        else:
            seen.ok("second_writer")
        # One entry per change of writer is enough, and keeps the memory flat.
        if history and history[-1][1] == name:
            history[-1] = (seen.real, name)
        else:
            history.append((seen.real, name))

    # -- what ----------------------------------------------------------------------------------------------------------

    def order(self, seen: Seen, account: Account, intent: Intent) -> None:
        """Judge an order request that the venue could read (whether it then takes the order or not)."""
        now = seen.at
        seen.intent, seen.order_request = intent.kind, True
        self.filters(seen, intent)
        self._client_id(seen, account, intent)
        self._modes(seen, account, intent.kind, now)
        if intent.kind == "entry":
            self._staleness(seen, account, intent, now)

    def modes(self, seen: Seen, account: Account, kind: str) -> None:
        """Judge a change of an order (amend, edit): it is an order request too."""
        seen.intent, seen.order_request = kind, True
        self._modes(seen, account, kind, seen.at)

    def _modes(self, seen: Seen, account: Account, kind: str, now: float) -> None:
        if account.profile.get("mode") == "paper":
            seen.bad("order_in_paper_mode", "the account is declared as paper")
        else:
            seen.ok("order_in_paper_mode")
        windows = account.profile.get("downtime") or []
        if windows:
            exits = kind in ("exit", "protect")
            window = next((item for item in windows if in_downtime(item, now) and not (exits and item.get("exits_allowed"))), None)
            if window is not None:
                seen.bad("order_in_downtime", "%s in the downtime %s to %s UTC" % (kind, window["from"], window["to"]))
            else:
                seen.ok("order_in_downtime")

    def filters(self, seen: Seen, intent: Intent) -> None:
        """Judge prices, quantity and value against the instrument's filters."""
        item = intent.instrument
        problems = []
        for name, price in (("price", intent.limit_price), ("trigger price", intent.stop_price)):
            if price is not None and not is_multiple(price, item.tick):
                problems.append("%s %s is no multiple of the tick %s" % (name, price, item.tick))
        if intent.qty is not None and not intent.by_cost:
            if not is_multiple(intent.qty, item.lot):
                problems.append("quantity %s is no multiple of the lot %s" % (intent.qty, item.lot))
            if intent.qty < item.min_qty:
                problems.append("quantity %s below %s" % (intent.qty, item.min_qty))
            price = intent.limit_price or intent.stop_price or self._engine.last_price[item.symbol]
            if price * intent.qty < item.min_notional and not (intent.reduce_only and item.contract is not None):
                problems.append("value %s below %s" % (price * intent.qty, item.min_notional))
        if problems:
            seen.bad("filters", "; ".join(problems))
        else:
            seen.ok("filters")

    def _client_id(self, seen: Seen, account: Account, intent: Intent) -> None:
        memory = self._of(account.name)
        if memory.lost:
            memory.lost = [item for item in memory.lost if seen.at - item.at < UNACKNOWLEDGED_S]
        lost = next((item for item in memory.lost if (item.symbol, item.side) == (intent.instrument.symbol, intent.side)), None)
        retry = lost is not None and intent.client_id is not None and intent.client_id == lost.client_id
        if lost is not None:
            if retry:
                seen.ok("idempotent_retry")
            else:
                seen.bad(
                    "idempotent_retry",
                    "an order of the same pair and side is unacknowledged since %.1f s, and the venue was not asked" % (seen.at - lost.at),
                )
        if intent.client_id is not None:
            taken = self._engine.is_client_id_open(account.name, intent.client_id)
            if taken and not retry:
                seen.bad("duplicate_client_id", "another open order has this client order id")
            else:
                seen.ok("duplicate_client_id")

    def _staleness(self, seen: Seen, account: Account, intent: Intent, now: float) -> None:
        limit = float(account.profile.get("stale_s", 60))
        as_of = self._delivered.get((seen.source, intent.instrument.symbol))
        if as_of is None:
            seen.unknown("entry_on_stale_data", "this address has got no market data of the pair from here")
        elif now - as_of > limit:
            seen.bad("entry_on_stale_data", "the newest data delivered is %.1f s old, allowed %.1f s" % (now - as_of, limit))
        else:
            seen.ok("entry_on_stale_data")

    # -- acknowledgements ----------------------------------------------------------------------------------------------

    def unacknowledged(self, account: str, intent: Intent, at: float) -> None:
        """Remember an order request whose answer the client did not get."""
        memory = self._of(account)
        memory.lost.append(_Lost(intent.instrument.symbol, intent.side, intent.client_id, at))
        del memory.lost[:-1_000]

    def asked(self, account: str) -> None:
        """The client has looked at its orders or trades: nothing is in the dark any more."""
        self._of(account).lost.clear()

    def acknowledged(self, account: str, intent: Intent) -> None:
        """A retry was answered: the matter is settled."""
        memory = self._of(account)
        memory.lost = [item for item in memory.lost if item.client_id != intent.client_id or item.client_id is None]

    # -- protection ----------------------------------------------------------------------------------------------------

    def sent(self, order: Order, seen: Seen) -> None:
        """Remember which request an entry came from, for the verdict that falls later."""
        if self._engine.accounts[order.account].profile.get("stop_within_s") is None:
            return
        entries = self._of(order.account).entries
        entries[order.id] = Asked(seen.id, seen.endpoint, seen.params)
        while len(entries) > MOST_ENTRIES:
            del entries[next(iter(entries))]

    def filled(self, account: Account, fill: Fill) -> None:
        """Follow the account's own inventory, and look after the declared time whether a stop covers an entry."""
        self._carry(account, fill)
        memory = self._of(account.name)
        within = account.profile.get("stop_within_s")
        positions = fill.leverage or self._engine.instruments[fill.symbol].contract is not None
        entry = fill.opened > 0 if positions else fill.side == BUY
        if entry and within is not None:
            due = _Due(fill.at + float(within), fill.symbol, float(within), memory.entries.get(fill.order_id))
            heapq.heappush(memory.due, due)
            memory.naked_since.setdefault(fill.symbol, None)
        if fill.symbol in memory.naked_since:
            self._watch(account, memory, fill.symbol, fill.at)

    def _carry(self, account: Account, fill: Fill) -> None:
        if fill.leverage:
            return  # the engine knows what is borrowed
        net = self._of(account.name).net
        net[fill.symbol] = max(ZERO, net.get(fill.symbol, ZERO) + (fill.qty if fill.side == BUY else -fill.qty))

    def rebuild(self) -> None:
        """Know the inventories again after a restart."""
        for account in self._engine.accounts.values():
            for fill in account.fills:
                self._carry(account, fill)

    def naked(self, account: Account, symbol: str) -> Decimal:
        """Return the quantity that the account bought (or borrowed), still has, and no open stop covers."""
        if self._engine.instruments[symbol].contract is not None:
            return self._naked_contract(account, symbol)
        borrowed = self._naked_loans(account, symbol)
        covered = sum(
            (
                order.remaining
                for order in self._engine.open_by_account[account.name].values()
                if order.symbol == symbol and order.side == SELL and not order.leverage and order.type.startswith(STOPS)
            ),
            ZERO,
        )
        return max(ZERO, self._of(account.name).net.get(symbol, ZERO) - covered) + borrowed

    def _naked_loans(self, account: Account, symbol: str) -> Decimal:
        loans = self._engine.lending.of(account, symbol)
        naked = ZERO
        for side, closing in ((BUY, SELL), (SELL, BUY)) if loans else ():
            stops = (
                order.remaining
                for order in self._engine.open_by_account[account.name].values()
                if order.symbol == symbol and order.side == closing and order.leverage and order.type.startswith(STOPS)
            )
            naked += max(ZERO, sum((loan.left for loan in loans if loan.side == side), ZERO) - sum(stops, ZERO))
        return naked

    def _naked_contract(self, account: Account, symbol: str) -> Decimal:
        naked = ZERO
        for position in account.futures.open():
            if position.symbol != symbol:
                continue
            closing = SELL if position.qty > 0 else BUY
            stops = [
                order
                for order in self._engine.open_by_account[account.name].values()
                if order.symbol == symbol
                and order.side == closing
                and (order.position_side or "BOTH") == position.side
                and order.type.startswith(STOPS)
            ]
            if not any(order.close_position for order in stops):
                naked += max(ZERO, abs(position.qty) - sum((order.remaining for order in stops), ZERO))
        return naked

    def _watch(self, account: Account, memory: _Memory, symbol: str, now: float) -> None:
        if self.naked(account, symbol) <= 0:
            memory.naked_since[symbol] = None
        elif memory.naked_since[symbol] is None:
            memory.naked_since[symbol] = now

    def tick(self, now: float) -> None:
        """Give the verdicts that had to wait.

        A bot that takes a stop away in order to sell, or has bought again and its stop is on the way, is naked for some milliseconds, and
        the verdict on an entry long covered may fall just then. It waits until that is over, or has lasted.
        """
        for name, memory in self._memory.items():
            account = self._engine.accounts.get(name)
            if account is None or not memory.due:
                continue
            for symbol in memory.naked_since:
                self._watch(account, memory, symbol, now)
            while memory.due and memory.due[0].at <= now:
                item = heapq.heappop(memory.due)
                since = memory.naked_since[item.symbol]
                if since is None:
                    self.late.append((item.seen, name, "order_without_stop", "pass", ""))
                elif since + min(item.within, ON_ITS_WAY_S) <= now:
                    words = "%s of %s without a stop %.1f s after the fill" % (self.naked(account, item.symbol), item.symbol, item.within)
                    self.late.append((item.seen, name, "order_without_stop", "fail", words))
                else:
                    item.at = since + min(item.within, ON_ITS_WAY_S)
                    heapq.heappush(memory.due, item)
            if not memory.due:
                memory.naked_since.clear()
