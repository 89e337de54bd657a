"""A position is open and no stop rests for it."""
from __future__ import annotations

from .harness.lab import Lab
from .harness.venue_breaks import Client, other_account


def _buy(_world: Lab, client: Client) -> None:
    client.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="market", volume="1500000", cl_ord_id="gle0000000000001")


TRIALS = (
    other_account(
        _buy, lambda state: str(state.get("positions")) if state.get("positions") else "", "positions.protected",
        "account.opening_state",
    ),
)
