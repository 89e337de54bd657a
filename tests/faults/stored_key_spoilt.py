"""The key on the bot's host cannot be opened any more: the running bot trades on, its next start fails."""
from __future__ import annotations

from .harness.host_breaks import instead

PATH = "/etc/golive/arm/exchange_key.cred"
TRIALS = (
    instead("bot", PATH, "tr 'A-Z' 'B-ZA'", f"systemd-creds decrypt --name=exchange_key {PATH} - 2>&1 >/dev/null || true", ".",
            "arming.ticket_valid", order=8),
)
