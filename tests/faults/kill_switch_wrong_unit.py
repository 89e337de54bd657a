"""The kill stops another unit than the one that trades."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("kill_switch", {"entry_orders_left": 3, "stays_off": False}, "kill_switch.drilled"),
)
