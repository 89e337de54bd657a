"""A retry carries a new client order id: a lost answer becomes a second position."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_lost_answer", {"duplicate_orders": 1}, "orders.idempotent_client_id"),
)
