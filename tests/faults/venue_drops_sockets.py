"""The venue cuts the stream again and again."""
from __future__ import annotations

from .harness.venue_breaks import cruelty

TRIALS = (
    cruelty("ws_drop", {"every_s": 1}, "exchange.ws_reconnect_rate", "exchange.ws_reconnect_rate@hour", settle_s=120, order=4,
            unwatched=("exchange.ws_uptime", "ledger.execution_rate_stable", "ledger.net_return_positive", "marketdata.crosschecked")),
)
