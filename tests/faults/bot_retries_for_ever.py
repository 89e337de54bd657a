"""Trouble at the venue never ends live trading."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_venue_fails", {"seconds_to_paper": 900, "orders_after_switch": 4}, "failsafe.switches_to_paper"),
)
