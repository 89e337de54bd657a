"""The process lives and decides nothing; the page still answers."""
from __future__ import annotations

from .harness.bot_breaks import misbehaving

TRIALS = (
    misbehaving(
        "wire", "{\"stop_deciding\": True}", "dashboard.serves_live_data", "dashboard.serves_live_data@paper",
        "dashboard.serves_live_data@signoff", settle_s=100,
    ),
    misbehaving("shadow", "{\"stop_deciding\": True}", "process.decides", settle_s=100, order=6),
)
