"""One limit differs from the profile: a price may be three times as old."""
from __future__ import annotations

from .harness.bot_breaks import configured

TRIALS = (
    configured(
        "wire", "c[\"risk\"][\"max_price_age_s\"] = 30.0", "float(h[\"config\"][\"risk\"][\"max_price_age_s\"]) == 30",
        "risk.position_limits_match_profile",
    ),
)
