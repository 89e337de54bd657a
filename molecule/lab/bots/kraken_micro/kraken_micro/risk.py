"""The risk gate: every reason against an entry, found before the order exists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from .book import Book, Latches, State
from .config import Config
from .controls import Orders as ControlOrders
from .faults import Faults
from .ledger import Ledger

ZERO = Decimal(0)


@dataclass(frozen=True)
class Situation:
    """What the gate looks at. Ages in seconds; None means: not known."""

    pair: str
    size: Decimal
    price_age: float | None
    spread_fraction: Decimal | None
    balance: Decimal | None
    venue_status: str | None
    orders_last_minute: int
    unresolved_orders: int
    unprotected_positions: int
    reconciled: bool


def day_of(now: float) -> str:
    """Return the UTC day of a unix time."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


def standing_reasons(latches: Latches, controls: ControlOrders, config: Config, day: str) -> list[str]:
    """Return why no entry is allowed at all now, whatever the market does."""
    reasons = []
    if latches.killed:
        reasons.append("killed")
    if latches.breaker:
        reasons.append("breaker")
    if latches.daily_limit_day == day:
        reasons.append("daily_loss")
    if controls.kill:
        reasons.append("kill_file")
    if controls.no_entries:
        reasons.append("no_entries")
    if controls.exit_only:
        reasons.append("exit_only")
    return reasons


def entry_reasons(situation: Situation, config: Config, book: Book, controls: ControlOrders, faults: Faults) -> list[str]:
    """Return why this entry is not allowed; empty means allowed. Unknown is never allowed."""
    allowed_positions = min(config.positions_allowed, controls.max_positions or config.positions_allowed)
    stale = situation.price_age is None or situation.price_age > config.risk.max_price_age_s
    wide = situation.spread_fraction is None or situation.spread_fraction > config.risk.max_spread_fraction
    rules = {
        "pair": situation.pair not in config.trade_pairs or (controls.pairs is not None and situation.pair not in controls.pairs),
        "position_open": situation.pair in book.positions,
        "max_positions": len(book.positions) >= allowed_positions and not faults.on("ignore_max_positions"),
        "position_size": situation.size > config.position_size and not faults.on("ignore_position_size"),
        "stale_price": stale and not faults.on("ignore_price_age"),
        "spread": wide,
        "balance_unknown": situation.balance is None,
        "balance": situation.balance is not None and situation.balance < situation.size,
        "venue_status": situation.venue_status != "online",
        "order_rate": situation.orders_last_minute >= config.risk.max_orders_per_minute,
        "unresolved_order": situation.unresolved_orders > 0,
        "unprotected_position": situation.unprotected_positions > 0 and not faults.on("no_stop"),
        "not_reconciled": not situation.reconciled,
    }
    return [reason for reason, against in rules.items() if against]


class Losses:
    """Holds profit and loss against the limits and latches what is reached, in the ledger."""

    def __init__(self, config: Config, state: State, book: Book, ledger: Ledger, faults: Faults, clock: Callable[[], float]) -> None:
        self._config, self._state, self._book, self._ledger = config, state, book, ledger
        self._faults, self._clock = faults, clock
        self._simulated = book is state.paper
        self._memory_only: tuple[str, Decimal] | None = None
        self.total = ZERO
        self.day = ZERO

    def measure(self, prices: dict[str, Decimal]) -> bool:
        """Take today's prices in and return whether the total breaker has just been reached: the bot must stop itself."""
        today = day_of(self._clock())
        self.total = self._book.profit(prices)
        if self._book.day != today:
            # A day that began while the bot was down starts from the last known figure, so nothing is lost between.
            start = self._book.last_profit if self._book.day else ZERO
            self._ledger.append("day", day=today, profit_at_start=start, simulated=self._simulated)
        start = self._book.day_start
        if self._faults.on("forget_daily_loss"):
            if self._memory_only is None or self._memory_only[0] != today:
                self._memory_only = (today, self.total)
            start = self._memory_only[1]
        self.day = self.total - start
        return self._hold(today)

    def _hold(self, today: str) -> bool:
        limits, latches = self._config, self._state.latches
        if self._faults.on("breaker_disconnected"):
            return False
        reached = self.day <= -limits.risk.max_daily_loss and latches.daily_limit_day != today
        if reached and self._faults.on("forget_daily_loss"):
            latches.daily_limit_day = today
        elif reached:
            self._ledger.append("daily_limit", day=today, profit=self.total, day_profit=self.day, simulated=self._simulated)
        breaker = limits.circuit_breaker
        if not breaker.enabled or latches.breaker is not None:
            return False
        if self.total <= breaker.total_loss:
            self._trip(f"total loss {self.total:f} reached {breaker.total_loss:f}")
            return True
        if self.day <= -breaker.max_daily_loss:
            self._trip(f"loss of {today} {self.day:f} reached -{breaker.max_daily_loss:f}")
        return False

    def _trip(self, reason: str) -> None:
        self._ledger.append("breaker", reason=reason, profit=self.total, day_profit=self.day, simulated=self._simulated)
