"""Something else would start the live bot: a job of cron names its unit."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "file", "mkdir -p /etc/cron.d; echo '@reboot root /usr/bin/systemctl start bot-live.service' > /etc/cron.d/golive-fault",
            "cat /etc/cron.d/golive-fault", "bot-live", "rm -f /etc/cron.d/golive-fault", "exchange.single_writer", order=8),
)
