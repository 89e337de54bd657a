"""The escrowed unseal keys are gone: the rebuild from nothing ends with red controls."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("rebuild_to_paper", {"controls_red": 7}, "dr.rebuild_from_nothing"),
)
