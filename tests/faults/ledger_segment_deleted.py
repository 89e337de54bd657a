"""Records were cut out of the middle of the ledger: the chain does not hold."""
from __future__ import annotations

from .harness.ledger_breaks import Records, forged


def _cut(records: Records, _now: float) -> Records:
    middle = len(records) // 2
    return records[:middle] + records[middle + 5:]


TRIALS = (
    forged(
        "wire", _cut, "ledger.order_audit_trail", "ledger.order_success_rate", "ledger.order_success_rate@day1",
        "ledger.reconciles_with_exchange", "ledger.daily_loss_within_limit", whole=False,
        unwatched=(
                      "ledger.execution_rate_stable", "dashboard.serves_live_data", "dashboard.serves_live_data@paper",
                      "dashboard.serves_live_data@signoff", "paper.setup_valid",
                  ),
    ),
    forged(
        "shadow", _cut, "ledger.paper_days", "ledger.paper_continuous_hours", "ledger.paper_continuous_hours@day1",
        "ledger.net_return_positive", "paper.started", "process.decides", whole=False,
    ),
    forged("live", _cut, "ledger.order_audit_trail@live", "ledger.daily_loss_within_limit@live", "process.decides@live",
           whole=False, order=8,
           unwatched=("ledger.performance_vs_paper", "ledger.order_success_rate@live", "dashboard.serves_live_data@live",
                      "dashboard.serves_live_data@daily")),
)
