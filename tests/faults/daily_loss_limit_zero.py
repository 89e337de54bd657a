"""The daily loss limit is above what the profile allows."""
from __future__ import annotations

from .harness.bot_breaks import configured

TRIALS = (
    configured(
        "wire", "c[\"risk\"][\"max_daily_loss\"] = 2000.0", "float(h[\"config\"][\"risk\"][\"max_daily_loss\"]) == 2000",
        "risk.max_daily_loss", "risk.position_limits_match_profile",
    ),
)
