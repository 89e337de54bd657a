"""The book is thin: a position cannot be sold again at a fair price."""
from __future__ import annotations

from .harness.venue_breaks import cruelty

TRIALS = (
    cruelty(
        "thin_book", {"factor": 60}, "market.exit_possible", settle_s=30, order=3,
        unwatched=(
                      "ledger.net_return_positive", "ledger.execution_rate_stable", "ledger.order_success_rate",
                      "ledger.daily_loss_within_limit",
                  ),
    ),
)
