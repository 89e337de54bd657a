"""Restarted with an expired ticket the bot opens a position."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("restart_expired", {"entries": 1}, "arming.expired_is_exit_only"),
    drill("restart_expired", {"stop_kept": False}, "arming.expired_is_exit_only"),
)
