"""A second starter brings the bot back after the kill."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("stays_off", {"started_again": True}, "mode.stays_off"),
)
