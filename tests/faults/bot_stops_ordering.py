"""Signals are allowed and no order follows."""
from __future__ import annotations

from .harness.bot_breaks import LIVE
from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _silent(records: Records, now: float) -> Records:
    return [one for one in records if one["kind"] not in ("request", "ack", "fill") or one["ms"] < now - 20_000]


def _never(records: Records, _now: float) -> Records:
    return [one for one in records if one["kind"] not in ("request", "ack", "fill")]


TRIALS = (
    forged("wire", _silent, "ledger.execution_rate_stable", unwatched=WINDOWS),
    forged("live", _never, "ledger.performance_vs_paper", order=8,
           unwatched=tuple(one for one in LIVE if one != "ledger.performance_vs_paper")),
)
