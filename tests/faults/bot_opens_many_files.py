"""The bot uses more of a resource than its limit allows: more files are open than the limit names."""
from __future__ import annotations

from .harness.bot_breaks import configured

TRIALS = (
    configured(
        "wire", "c[\"limits\"][\"file_descriptors\"] = 5", "h[\"config\"][\"limits\"][\"file_descriptors\"] == 5",
        "process.resources_within_limits", settle_s=60,
    ),
)
