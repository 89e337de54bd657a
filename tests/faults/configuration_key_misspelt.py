"""A key of the configuration is misspelt: the limit it should set is not set."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead(
        "bot", "/etc/bot/wire.json", "sed 's/\"max_positions\"/\"max_postions\"/'", "grep -c max_postions /etc/bot/wire.json",
        "^1$", "config.no_unknown_keys", "config.loaded_matches_rendered", "risk.circuit_breaker_threshold",
        "risk.max_daily_loss", "risk.max_position_size", "risk.position_limits_match_profile", "backup.config",
    ),
)
