"""Tests of a named suite were deleted: fewer ran than the profile asks for."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("ci", "error_handling", {"tests": 2}, "ci.named_suite_passes"),
    measured("ci", "error_handling", {"failed": 1}, "ci.named_suite_passes"),
)
