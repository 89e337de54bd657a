"""Prices and volumes are sent as they were computed."""
from __future__ import annotations

from .harness.lab import Lab
from .harness.venue_breaks import Client, bad_requests


def _send(_world: Lab, client: Client) -> None:
    price = client.price("SHIBUSDT")
    client.call("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price=f"{price * 0.9:.12f}", volume="600000.123456789")


TRIALS = (
    bad_requests("filters", _send, "exchange.order.lot_size", "exchange.order.decimal_precision"),
)
