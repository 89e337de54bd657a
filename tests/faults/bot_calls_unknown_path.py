"""An endpoint is asked that the venue does not have."""
from __future__ import annotations

from .harness.lab import Lab
from .harness.venue_breaks import Client, bad_requests


def _send(_world: Lab, client: Client) -> None:
    client.call("BalanceOfEverything")


TRIALS = (
    bad_requests("protocol", _send, "exchange.traffic.endpoint", "exchange.traffic.headers",
                 unwatched=("exchange.traffic.encoding", "exchange.order.decimal_precision"), order=10),
)
