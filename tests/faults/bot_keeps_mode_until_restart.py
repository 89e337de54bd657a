"""Told to go back to paper, the bot keeps trading live until it is restarted."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("revert_to_paper", {"seconds": 3600, "live_orders_after": 2}, "mode.revert_to_paper"),
)
