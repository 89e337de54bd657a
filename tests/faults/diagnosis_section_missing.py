"""The diagnosis leaves a section out."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("diagnose_api", {"sections_missing": 1}, "incident.diagnose"),
    drill("diagnose_performance", {"sections_missing": 1}, "incident.diagnose@performance"),
)
