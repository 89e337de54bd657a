"""The trading key may withdraw."""
from __future__ import annotations

from .harness.venue_breaks import TRADE, other_key

TRIALS = (
    other_key("live", [*TRADE, "withdraw-funds"], None, "exchange.key.no_withdraw", "exchange.key.least_privilege",
              beside=("exchange.key.authenticates", "exchange.key.ip_allowlist", "exchange.key.age_within_policy")),
)
