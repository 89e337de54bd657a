"""After its restart the bot trades before it has compared what it holds."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("restart", {"reconciled_before_trading": False}, "bot.restart"),
)
