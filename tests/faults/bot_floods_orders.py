"""The bot sends orders faster than the kill cancels them."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("kill_under_flood", {"entry_orders_left": 12, "seconds_to_no_entries": 240}, "kill_switch.under_flood"),
)
