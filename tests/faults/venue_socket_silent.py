"""The stream stays open and says nothing."""
from __future__ import annotations

from .harness.venue_breaks import cruelty

TRIALS = (
    cruelty(
        "ws_silence", {}, "exchange.ws_uptime", settle_s=120, order=4,
        unwatched=(
                      "exchange.ws_reconnect_rate", "exchange.ws_reconnect_rate@hour", "ledger.execution_rate_stable",
                      "marketdata.crosschecked", "ledger.net_return_positive", "alerts.cover_all_thresholds",
                  ),
    ),
)
