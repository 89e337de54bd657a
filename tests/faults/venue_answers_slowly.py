"""The venue answers slowly: latency is above what the list allows, and with it the performance targets are not met."""
from __future__ import annotations

from .harness.run_breaks import verdict_is
from .harness.venue_breaks import cruelty

TRIALS = (
    verdict_is("exchange.api_latency", {"verdict": "fail"}, "gate.performance_targets", "gate.phase_green",
               beside=("arming.observed_just_before",)),
    cruelty("latency", {"ms": 400}, "exchange.api_latency", account="wire", settle_s=60, order=3,
            unwatched=("exchange.api_error_rate", "ledger.execution_rate_stable", "process.memory_sustained")),
    cruelty("latency", {"ms": 400}, "exchange.api_latency@live", account="live", settle_s=90, order=8),
)
