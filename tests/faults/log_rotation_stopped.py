"""Rotation does not run: a log has grown beyond the limit."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "file", "yes x | head -c 11000000 > /var/log/bot/wire.log.9; touch -d yesterday /var/log/bot/wire.log.9",
            "stat -c %s /var/log/bot/wire.log.9", "^11000000$", "rm -f /var/log/bot/wire.log.9",
            "logs.rotated_below_10mb", "logs.rotated_below_10mb@paper", "logs.rotated_below_10mb@burst",
            unwatched=("logs.rotated_below_10mb@operate",)),
    on_host("bot", "file", "yes x | head -c 11000000 > /var/log/bot/live.log.9; touch -d yesterday /var/log/bot/live.log.9",
            "stat -c %s /var/log/bot/live.log.9", "^11000000$", "rm -f /var/log/bot/live.log.9", "logs.rotated_below_10mb@operate",
            "logs.rotated_below_10mb", "logs.rotated_below_10mb@paper", "logs.rotated_below_10mb@burst", order=8),
)
