"""The venue answers every fifth call of the bot with an error of its server."""
from __future__ import annotations

from .harness.venue_breaks import cruelty

TRIALS = (
    cruelty(
        "http_5xx", {"ratio": 0.2}, "exchange.api_error_rate", account="wire", settle_s=90, order=3,
        unwatched=(
                      "ledger.order_success_rate", "ledger.order_success_rate@day1", "ledger.reconciles_with_exchange",
                      "ledger.execution_rate_stable", "exchange.api_latency", "ledger.order_audit_trail",
                  ),
    ),
    # One call in twenty: far above what the list allows, and too rare to send the live bot back to paper.
    cruelty("http_5xx", {"ratio": 0.05}, "exchange.api_error_rate@live", account="live", settle_s=120, order=8),
)
