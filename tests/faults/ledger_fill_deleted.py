"""An execution that the venue knows is not in the ledger."""
from __future__ import annotations

from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _deleted(records: Records, now: float) -> Records:
    found = next(one for one in reversed(records) if one["kind"] == "fill" and one["ms"] < now - 35_000)
    return [one for one in records if one is not found]


TRIALS = (
    forged("wire", _deleted, "ledger.reconciles_with_exchange", unwatched=WINDOWS),
)
