"""Signals are allowed and no order follows."""
from __future__ import annotations

from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _silent(records: Records, now: float) -> Records:
    return [one for one in records if one["kind"] not in ("request", "ack", "fill") or one["ms"] < now - 20_000]


TRIALS = (forged("wire", _silent, "ledger.execution_rate_stable", unwatched=WINDOWS),)
