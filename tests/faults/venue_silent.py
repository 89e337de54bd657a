"""The venue takes the connection and answers nothing."""
from __future__ import annotations

from .harness.venue_breaks import cruelty

TRIALS = (
    cruelty(
        "timeouts", {"hold_s": 30, "endpoints": "GetApiKeyInfo,Balance,OpenOrders,BalanceEx,ClosedOrders"}, account="live",
        order=3,
        verdicts=dict.fromkeys(
                     ("exchange.key.no_withdraw", "exchange.key.authenticates", "exchange.key.least_privilege"), "undecided",
                 ),
        unwatched=(
                      "exchange.key.ip_allowlist", "exchange.key.age_within_policy", "exchange.key.born_for_release",
                      "account.opening_state", "exchange.account.dedicated_capped", "orders.none_foreign", "positions.protected",
                      "kill_switch.key_can_only_cancel", "guard.independent", "guard.heartbeat_outside",
                  ),
    ),
)
