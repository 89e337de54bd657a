"""The bot takes 250 MB when it starts."""
from __future__ import annotations

from .harness.bot_breaks import misbehaving

TRIALS = (
    misbehaving("wire", "{\"allocate_mb\": 250}", "process.memory_at_startup"),
)
