"""The drift timer is off: a planted change was not found by the next run."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("inject_drift", {"runs_until_found": 4, "named_object": False}, "drift.detection_proven"),
)
