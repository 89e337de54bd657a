"""One file of the installed release reads otherwise than it was unpacked."""
from __future__ import annotations

from .harness.host_breaks import instead

RISK = "/opt/bot/current/app/kraken_micro/risk.py"
TRIALS = (
    instead("bot", RISK, "sed '$a # quick fix'", f"tail -1 {RISK}", "quick fix", "deploy.same_release_everywhere"),
)
