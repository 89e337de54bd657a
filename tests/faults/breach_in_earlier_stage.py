"""A limit was breached in the stage before: the next one may not begin."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("ramp_stage_2", {"breaches": 1}, "ramp.advance_stage"),
    drill("ramp_stage_3", {"breaches": 1}, "ramp.advance_stage@second_pair"),
)
