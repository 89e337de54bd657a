"""The signature is over other bytes than those that were sent."""
from __future__ import annotations

from .harness.lab import Lab
from .harness.venue_breaks import Client, bad_requests


def _send(_world: Lab, client: Client) -> None:
    client.call("Balance", flip=True)


TRIALS = (
    bad_requests("signature", _send, "exchange.traffic.signature_valid", "exchange.traffic.encoding"),
)
