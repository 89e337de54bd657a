"""The dry run sends its orders to the venue."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("wire_paper_mode", {"order_requests": 1}, "mode.paper_sends_no_orders"),
)
