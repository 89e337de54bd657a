"""The trading key works from every address."""
from __future__ import annotations

from .harness.venue_breaks import TRADE, other_key

TRIALS = (
    other_key("live", TRADE, [], "exchange.key.ip_allowlist", beside=("exchange.key.least_privilege", "exchange.key.no_withdraw")),
)
