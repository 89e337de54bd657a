"""The day's loss is kept in memory only: a restart forgets it."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("kill_and_restart", {"daily_loss_equal": False}, "bot.state_survives_restart"),
    drill("wire_daily_loss", {"entries_after_restart": 2}, "risk.daily_loss_enforced"),
)
