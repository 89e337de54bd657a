"""The venue refuses the stop: the entry stays without one."""
from __future__ import annotations

import secrets

from .harness.lab import Lab
from .harness.venue_breaks import Client, bad_requests


def _send(_world: Lab, client: Client) -> None:
    client.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="market", volume="600000", cl_ord_id="gle" + secrets.token_hex(7)[1:])


def _sell(client: Client) -> None:
    client.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="market", volume="600000", cl_ord_id="glx" + secrets.token_hex(7)[1:])


TRIALS = (
    bad_requests("order_without_stop", _send, "risk.stop_loss_on_every_entry",
                 undo=_sell, unwatched=("ledger.reconciles_with_exchange",)),
)
