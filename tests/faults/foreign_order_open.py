"""An order lies at the venue that the bot did not send."""
from __future__ import annotations

from .harness.lab import Lab
from .harness.venue_breaks import Client, other_account


def _order(_world: Lab, client: Client) -> None:
    client.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.00000100", volume="1000000")


TRIALS = (
    other_account(_order, lambda state: f"open orders: {state['open_orders']}" if state["open_orders"] else "",
                  "account.opening_state", "orders.none_foreign"),
)
