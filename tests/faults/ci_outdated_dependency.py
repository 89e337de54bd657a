"""A dependency is older than the policy."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("ci", "dependency_freshness", {"failed": 1}, "deps.up_to_date"),
)
