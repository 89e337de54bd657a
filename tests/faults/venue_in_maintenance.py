"""The venue is in maintenance: nothing can be cancelled, and whoever operates is told so."""
from __future__ import annotations

from .harness.records import drill
from .harness.venue_breaks import cruelty

TRIALS = (
    drill("kill_in_maintenance", {"said_so": False}, "kill_switch.in_maintenance"),
    cruelty(
        "cancel_only", {"pair": "SHIBUSDT"}, "exchange.status_watched", settle_s=20, order=3,
        unwatched=(
                      "ledger.order_success_rate", "ledger.order_success_rate@day1", "ledger.execution_rate_stable",
                      "exchange.api_error_rate",
                  ),
    ),
)
