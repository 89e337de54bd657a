"""Entries are not held against any limit."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_bad_signals", {"orders_for_bad_signals": 4}, "risk.pre_trade_gate_rejects"),
)
