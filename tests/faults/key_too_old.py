"""The trading key is older than the policy lets it be."""
from __future__ import annotations

from .harness.venue_breaks import TRADE, other_key

TRIALS = (
    other_key("live", TRADE, None, "exchange.key.age_within_policy", "exchange.key.born_for_release", age_days=91,
              beside=("exchange.key.authenticates", "exchange.key.least_privilege")),
)
