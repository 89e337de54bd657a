"""Counters that rise with each request and fall with time, as the venues limit requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counter:
    """`value` falls by `decay` per second, never below 0."""

    limit: float
    decay: float
    value: float = 0.0
    at: float = 0.0

    def level(self, now: float) -> float:
        """Return the value at a moment in seconds."""
        if now > self.at:
            self.value = max(0.0, self.value - (now - self.at) * self.decay)
            self.at = now
        return self.value

    def take(self, cost: float, now: float) -> bool:
        """Add a cost; False when that exceeds the limit (the cost is then not added)."""
        if self.level(now) + cost > self.limit:
            return False
        self.value += cost
        return True

    def force(self, cost: float, now: float) -> None:
        """Add a cost that is charged in any case."""
        self.level(now)
        self.value += cost


@dataclass(frozen=True)
class Tier:
    """Limits of an account: REST counter, trading counter per pair, open orders per pair."""

    max: float
    decay: float
    trade_max: float
    trade_decay: float
    open_orders: int


#: Kraken's documents: guides/rest/ratelimits (REST) and guides/general/ratelimits (trading engine)
KRAKEN_TIERS = {
    "starter": Tier(15, 0.33, 60, 1.0, 60),
    "intermediate": Tier(20, 0.5, 125, 2.34, 80),
    "pro": Tier(20, 1.0, 180, 3.75, 225),
    # not the venue's: for load tests and bots whose pace is not what is rehearsed
    "unlimited": Tier(1e12, 1e9, 1e12, 1e9, 1_000_000),
}
