"""All tests of one component were deleted: the suite passes, and proves nothing for it."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("ci", "all", {"components": {"balance": 5, "nonce": 5, "risk": 0, "execution": 5, "failsafe": 5, "ledger": 5}},
             "ci.unit_tests_pass"),
)
