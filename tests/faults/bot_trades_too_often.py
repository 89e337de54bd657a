"""The live bot closes far more trades than its paper run lets expect."""
from __future__ import annotations

from .harness.bot_breaks import LIVE
from .harness.ledger_breaks import Records, forged

COPIES = 12


def _often(records: Records, _now: float) -> Records:
    """Behind each closed trade the same one again, some times, as orders of their own."""
    bought = {one["signal"]: one for one in records if one["kind"] == "fill" and one["side"] == "buy"}
    found: Records = []
    for one in records:
        found.append(one)
        if one["kind"] == "fill" and one["side"] == "sell" and one["signal"] in bought:
            for number in range(COPIES):
                found += [{**fill, "ms": one["ms"], "signal": f"{one['signal']}{number}", "client_id": f"{fill['client_id']}{number}",
                           "txid": f"{fill['txid']}{number}"} for fill in (bought[one["signal"]], one)]
    return found


TRIALS = (
    forged("live", _often, "ledger.performance_vs_paper", order=8, settle_s=60,  # a window of 40 s holds two trades at times
           unwatched=tuple(one for one in LIVE if one != "ledger.performance_vs_paper")),
)
