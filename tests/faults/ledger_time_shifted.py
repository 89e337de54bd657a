"""The first part of the paper run was written an hour earlier: the days do not follow each other."""
from __future__ import annotations

from .harness.ledger_breaks import Records, forged


def _shifted(records: Records, now: float) -> Records:
    return [{**one, "ms": one["ms"] - 3_600_000} if one["ms"] < now - 50_000 else one for one in records]


TRIALS = (
    forged("shadow", _shifted, "ledger.paper_days", "ledger.paper_continuous_hours", unwatched=("ledger.net_return_positive",)),
)
