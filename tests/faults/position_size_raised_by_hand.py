"""Somebody raised the position size in the file of the live bot."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead("bot", "/etc/bot/live.json", "sed 's/\"position_size_usdt\": *[0-9.]*/\"position_size_usdt\": 50/'",
            "grep -o 'position_size_usdt[^,]*' /etc/bot/live.json", "50", "ramp.stage_limits",
            unwatched=("arming.ticket_valid", "mode.switch_to_live", "risk.parameters_reviewed", "signoff.two_person"),
            settle_s=10, order=8),
)
