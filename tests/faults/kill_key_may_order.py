"""The key of one kill machine may send orders."""
from __future__ import annotations

from .harness.venue_breaks import other_key

TRIALS = (
    other_key(
        "kill_guard", ["query-funds", "query-open-trades", "query-closed-trades", "close-trades", "modify-trades"], [],
        "kill_switch.key_can_only_cancel",
    ),
)
