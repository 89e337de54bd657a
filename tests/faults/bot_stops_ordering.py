"""Signals are allowed and no order follows."""
from __future__ import annotations

from .harness.bot_breaks import LIVE
from .harness.bot_breaks import WIRE as WINDOWS
from .harness.ledger_breaks import Records, forged


def _silent(records: Records, now: float) -> Records:
    return [one for one in records if one["kind"] not in ("request", "ack", "fill") or one["ms"] < now - 20_000]


def _hardly(records: Records, _now: float) -> Records:
    """The last three closed trades alone: enough to be judged, and far fewer than the paper run lets expect. The first three have left the
    window on a lab that is an hour old."""
    sales = [one for one in records if one["kind"] == "fill" and one["side"] == "sell"]
    signals = {one["signal"] for one in sales[-3:]}
    kept = {one["client_id"] for one in records if one.get("signal") in signals and "client_id" in one}
    return [one for one in records if one["kind"] not in ("request", "ack", "fill") or one["client_id"] in kept]


TRIALS = (
    forged("wire", _silent, "ledger.execution_rate_stable", unwatched=WINDOWS),
    forged("live", _hardly, "ledger.performance_vs_paper", order=8,
           unwatched=tuple(one for one in LIVE if one != "ledger.performance_vs_paper")),
)
