"""The package lists are older than a week: nothing is known about updates."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "clock", "find /var/lib/apt/lists -maxdepth 1 -type f -exec touch -d '9 days ago' {} +",
            "find /var/lib/apt/lists -maxdepth 1 -type f -mtime -8 | grep -v lock | wc -l", "^0$",
            "find /var/lib/apt/lists -maxdepth 1 -type f -exec touch {} +", "host.security_updates"),
)
