"""Each nonce takes 20 ms."""
from __future__ import annotations

from .harness.records import measured

TRIALS = (
    measured("load_test", "nonce_generation", {"per_second": 50, "per_second_worst": 50}, "nonce.throughput", "nonce.throughput@paper"),
    measured("load_test", "nonce_generation", {"per_second_worst": 40}, "nonce.throughput@paper"),
)
