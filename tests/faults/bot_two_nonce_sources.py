"""Nonces come from two clocks that know nothing of each other."""
from __future__ import annotations

from .harness.lab import Lab
from .harness.venue_breaks import Client, bad_requests


def _send(_world: Lab, client: Client) -> None:
    client.good("Balance")
    client.call("Balance", nonce=1)


TRIALS = (
    bad_requests("nonce_rising", _send, "exchange.traffic.nonce_monotonic", "nonce.accepted_ratio"),
)
