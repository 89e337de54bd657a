"""The bot host's verifier lets one of the bad tickets pass."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("refuse_tickets", {"accepted": 1}, "arming.bad_tickets_refused"),
    drill("refuse_tickets", {"control_accepted": False}, "arming.bad_tickets_refused"),
)
