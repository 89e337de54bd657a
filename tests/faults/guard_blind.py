"""The guard does not see the venue: it misses what it should act on."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("guard_acts", {"missed": 2}, "guard.acts"),
    drill("guard_acts", {"false_kills": 1}, "guard.acts"),
)
