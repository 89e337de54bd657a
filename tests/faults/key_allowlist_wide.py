"""The trading key works from a whole network."""
from __future__ import annotations

from .harness.venue_breaks import TRADE, other_key

TRIALS = (
    other_key("live", TRADE, ["172.16.0.0/12"], "exchange.key.ip_allowlist", beside=("exchange.key.least_privilege",)),
)
