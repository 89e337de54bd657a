"""The venue refuses the first cancel: entries stay because nobody tries again."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("kill_switch", {"entry_orders_left": 1, "seconds_to_no_entries": 120}, "kill_switch.drilled"),
    drill("kill_cancel_fails_once", {"retries_reported": False, "entry_orders_left": 1}, "kill_switch.engage"),
    drill("kill_on_venue", {"orders_left": 1}, "kill_switch.drilled_on_venue"),
)
