"""An old price does not end entries."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_frozen_feed", {"entries_on_stale_price": 1}, "marketdata.staleness_halts_entries"),
)
