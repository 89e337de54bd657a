"""Signals are allowed and no order follows."""
from __future__ import annotations

from .harness.bot_breaks import LIVE
from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _silent(records: Records, now: float) -> Records:
    return [one for one in records if one["kind"] not in ("request", "ack", "fill") or one["ms"] < now - 20_000]


def _hardly(records: Records, _now: float) -> Records:
    """Three closed trades, then nothing: enough to be judged, and far fewer than the paper run lets expect."""
    sales = [one for one in records if one["kind"] == "fill" and one["side"] == "sell"]
    return [one for one in records if one["kind"] not in ("request", "ack", "fill") or one["seq"] <= sales[2]["seq"]]


TRIALS = (
    forged("wire", _silent, "ledger.execution_rate_stable", unwatched=WINDOWS),
    forged("live", _hardly, "ledger.performance_vs_paper", order=8,
           unwatched=tuple(one for one in LIVE if one != "ledger.performance_vs_paper")),
)
