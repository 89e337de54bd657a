"""Somebody else uses the key: its nonce moved while the bot stood still."""
from __future__ import annotations

from .harness.records import drill

TRIALS = (
    drill("quiet_key", {"nonce_moved_by_others": True}, "exchange.key.quiet_when_stopped"),
)
