"""The breaker trips and stops nothing: a person has to."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_total_loss", {"stopped_s": 600, "human_needed": True}, "kill_switch.automatic"),
)
