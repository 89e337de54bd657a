"""The breaker trips at ten times the loss that the profile allows."""
from __future__ import annotations

from .harness.bot_breaks import configured

TRIALS = (
    configured(
        "wire", "c[\"circuit_breaker\"][\"total_loss\"] = -300.0",
        "float(h[\"config\"][\"circuit_breaker\"][\"total_loss\"]) == -300", "risk.circuit_breaker_threshold",
        "risk.position_limits_match_profile",
    ),
)
