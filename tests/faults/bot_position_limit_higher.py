"""The bot holds more positions at once than the profile allows."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_many_signals", {"positions_max": 4}, "risk.max_concurrent_positions"),
)
