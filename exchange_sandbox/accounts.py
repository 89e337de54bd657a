"""Balances, what is held for open orders, and what an account declared about itself."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Optional

from .money import ZERO
from .orders import Fill
from .positions import Futures

DAY_S = 86_400


@dataclass
class LedgerEntry:
    """One change of a balance: `amount` and `fee` in units of `asset`, `balance` after it."""

    id: str
    ref: str
    at: float
    #: trade, deposit, withdrawal, adjustment
    kind: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal


@dataclass
class Account:
    """One trading account of the sandbox."""

    name: str
    house: bool = False
    #: see `profile.py`: mode, downtime, stop_required, stale_s ...
    profile: dict[str, Any] = field(default_factory=dict)
    tier: str = "pro"
    #: own rate limits instead of the tier's: {max, decay, trade_max, trade_decay, open_orders}
    limits: dict[str, Any] = field(default_factory=dict)
    created: float = 0.0
    balances: dict[str, Decimal] = field(default_factory=dict)
    holds: dict[str, Decimal] = field(default_factory=dict)
    ledger: deque[LedgerEntry] = field(default_factory=deque)
    fills: list[Fill] = field(default_factory=list)
    volume_by_day: dict[int, Decimal] = field(default_factory=dict)
    #: cancel everything at this exchange time (dead man's timer)
    cancel_all_at: Optional[float] = None
    #: the same per symbol, as Binance futures has it
    countdowns: dict[str, float] = field(default_factory=dict)
    #: where the account trades; its equity is counted in that venue's prices
    venue: str = "kraken"
    #: positions, leverage and modes of perpetuals
    futures: Futures = field(default_factory=Futures)

    def balance(self, asset: str) -> Decimal:
        return self.balances.get(asset, ZERO)

    def held(self, asset: str) -> Decimal:
        return self.holds.get(asset, ZERO)

    def available(self, asset: str) -> Decimal:
        return self.balance(asset) - self.held(asset)

    def change_hold(self, asset: str, delta: Decimal) -> None:
        self.holds[asset] = self.held(asset) + delta

    def add_volume(self, at: float, cost: Decimal) -> None:
        day = int(at // DAY_S)
        self.volume_by_day[day] = self.volume_by_day.get(day, ZERO) + cost

    def volume_30d(self, now: float) -> Decimal:
        """Return the traded cost of the last 30 days (quote currency taken as US dollars)."""
        oldest = int(now // DAY_S) - 30
        for day in [day for day in self.volume_by_day if day < oldest]:
            del self.volume_by_day[day]
        return sum(self.volume_by_day.values(), ZERO)
