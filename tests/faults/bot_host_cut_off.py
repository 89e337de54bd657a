"""The bot's host cannot be reached: entries stay, and nobody is warned that it may still trade."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("kill_without_host", {"warned_until_fenced": False}, "kill_switch.fence"),
    drill("kill_paths", {"works_with_bot_host_cut": False}, "kill_switch.independent_paths"),
)
