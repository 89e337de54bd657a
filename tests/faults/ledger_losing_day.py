"""The bot lost more on one day than the stage allows."""
from __future__ import annotations

from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _losing(records: Records, _now: float) -> Records:
    """Sales at a tenth of their price, and on the newest fill a fee that is more than a day may lose: some day of the window has it."""
    last = [one for one in records if one["kind"] == "fill"][-1]
    changed = [{**one, "fee": "50"} if one is last else one for one in records]
    return [{**one, "price": str(float(one["price"]) * 0.1)} if one["kind"] == "fill" and one["side"] == "sell" else one for one in changed]


TRIALS = (
    forged("wire", _losing, "ledger.daily_loss_within_limit", "ledger.reconciles_with_exchange", unwatched=WINDOWS),
    forged("live", _losing, "ledger.daily_loss_within_limit@live", "ledger.performance_vs_paper",
           unwatched=("dashboard.serves_live_data@live", "dashboard.serves_live_data@daily"), order=8),
)
