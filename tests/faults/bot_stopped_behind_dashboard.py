"""The process lives and decides nothing; the page still answers."""
from __future__ import annotations

from .harness.bot_breaks import misbehaving
from .harness.ledger_breaks import Records, forged


def _earlier(records: Records, _now: float) -> Records:
    """The page goes on, the ledger stood still a while ago."""
    return records[: len(records) * 6 // 10]


TRIALS = (
    misbehaving(
        "wire", "{\"stop_deciding\": True}", "dashboard.serves_live_data", "dashboard.serves_live_data@paper",
        "dashboard.serves_live_data@signoff", settle_s=100,
    ),
    misbehaving("shadow", "{\"stop_deciding\": True}", "process.decides", settle_s=100, order=6),
    forged("live", _earlier, "dashboard.serves_live_data@live", "dashboard.serves_live_data@daily", "process.decides@live", order=8,
           unwatched=("ledger.performance_vs_paper", "ledger.order_audit_trail@live", "ledger.daily_loss_within_limit@live",
                      "ledger.order_success_rate@live", "ramp.stage_limits")),
)
