"""The account holds more than the stage may lose."""
from __future__ import annotations

from .harness.venue_breaks import other_account

TRIALS = (
    other_account(lambda _world, _client: None, lambda state: str(state["balances"]) if "900" in str(state["balances"]) else "",
                  "exchange.account.dedicated_capped", balances={"USDT": "900"}),
)
