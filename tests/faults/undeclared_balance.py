"""The account holds an asset that nobody declared."""
from __future__ import annotations

from .harness.venue_breaks import other_account

TRIALS = (
    other_account(
        lambda _world, _client: None,
        lambda state: str(state["balances"]) if "XRP" in str(state["balances"]) or "XXRP" in str(state["balances"]) else "",
        "account.opening_state", "positions.protected", balances={"USDT": "50", "XRP": "20"},
    ),
)
