"""A trading key lies on the bot's host before any ticket does."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "file", "install -m 0600 /dev/null /etc/golive/arm/exchange_key.cred", "ls /etc/golive/arm", "exchange_key.cred",
            "rm -f /etc/golive/arm/exchange_key.cred", "exchange.key.absent_in_paper"),
)
