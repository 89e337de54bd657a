"""The closed trades of the paper run lost money."""
from __future__ import annotations

from .harness.ledger_breaks import Records, forged


def _losing(records: Records, _now: float) -> Records:
    return [{**one, "price": str(float(one["price"]) * 0.5)} if one["kind"] == "fill" and one["side"] == "sell" else one for one in records]


TRIALS = (
    forged("shadow", _losing, "ledger.net_return_positive"),
)
