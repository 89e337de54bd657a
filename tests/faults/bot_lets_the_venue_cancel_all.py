"""The bot was told to let the venue's timer cancel everything when it is silent, stops too; with stops of its own it refuses that."""
from __future__ import annotations

from .harness.bot_breaks import configured

TRIALS = (
    configured(
        "wire", "c[\"failsafe\"][\"on_disconnect\"] = \"cancel_all\"; c[\"faults\"] = {\"no_stop\": True}",
        "h[\"config\"][\"failsafe\"][\"on_disconnect\"] == \"cancel_all\"", "positions.on_disconnect_keeps_stops",
    ),
)
