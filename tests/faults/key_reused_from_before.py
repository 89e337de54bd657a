"""The trading key is one of an earlier going live, young enough for the policy: whoever copied it then has it still."""
from __future__ import annotations

from .harness.venue_breaks import TRADE, other_key

TRIALS = (
    other_key("live", TRADE, None, "exchange.key.born_for_release", age_days=8, beside=("exchange.key.age_within_policy",)),
)
