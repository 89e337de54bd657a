"""The largest position allowed is twice the profile's."""
from __future__ import annotations

from .harness.bot_breaks import configured

TRIALS = (
    configured(
        "wire", "c[\"risk\"][\"max_position_size\"] = 20.0",
        "h[\"config\"][\"risk\"][\"max_position_size\"] in (20, \"20.0\", \"20\")", "risk.max_position_size",
        "risk.position_limits_match_profile",
    ),
)
