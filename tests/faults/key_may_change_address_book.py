"""The trading key may change the address book for withdrawals."""
from __future__ import annotations

from .harness.venue_breaks import TRADE, other_key

TRIALS = (
    other_key("live", [*TRADE, "add-withdraw-address"], None, "exchange.key.least_privilege", beside=("exchange.key.authenticates",)),
)
