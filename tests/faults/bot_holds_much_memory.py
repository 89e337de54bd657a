"""The bot holds 550 MB, more than its unit would allow it."""
from __future__ import annotations

from .harness.bot_breaks import misbehaving

TRIALS = (
    misbehaving(
        "wire", "{\"allocate_mb\": 550}", "process.memory_sustained", "process.memory_at_startup",
        before="systemctl set-property --runtime bot-wire MemoryMax=infinity",
        after="systemctl set-property --runtime bot-wire MemoryMax=500000000", settle_s=60,
    ),
)
