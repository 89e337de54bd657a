"""The newest archive is cut: what is restored is not what was saved."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("restore", {"checksums_match": False, "records_match": False}, "backup.restore_tested"),
)
