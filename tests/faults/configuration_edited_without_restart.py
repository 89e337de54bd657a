"""The configuration was edited by hand, the process holds the old one."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead(
        "bot", "/etc/bot/wire.json", "sed 's/\"decide_s\": 0.25/\"decide_s\": 0.5/'", "grep decide_s /etc/bot/wire.json", "0.5",
        "config.loaded_matches_rendered", "risk.circuit_breaker_threshold", "risk.max_daily_loss", "risk.max_position_size",
        "risk.position_limits_match_profile", "backup.config", beside=("config.no_unknown_keys",),
    ),
)
