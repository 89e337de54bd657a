"""The static analysis has a finding of high severity."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("ci", "sast", {"findings_high": 1}, "code.sast_clean"),
)
