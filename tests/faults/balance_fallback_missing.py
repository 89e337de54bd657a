"""The second source of the balance raises: orders are sent on a stale balance."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_balance_sources_fail", {"tiers_used": 1, "orders_on_stale_balance": 3}, "balance.fallback_tiers"),
)
