"""A tripped breaker is forgotten at a restart."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_total_loss", {"reset_by_itself": True}, "risk.circuit_breaker_trips"),
)
