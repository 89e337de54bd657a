"""What is backed up is not what runs: the shadow's configuration has changed since."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead("bot", "/etc/bot/shadow.json", "sed 's/$/ /'", "cat -A /etc/bot/shadow.json | head -2", r" \$", "backup.config"),
)
