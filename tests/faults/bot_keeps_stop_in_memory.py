"""The bot keeps its stop in memory: cut off, its position is naked at the venue."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_bot_cut_off", {"positions_naked": 1}, "positions.protected_when_bot_dies"),
)
