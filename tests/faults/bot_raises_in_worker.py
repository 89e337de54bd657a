"""A worker of the bot ended with an exception that nobody handled."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "bot",
        "printf 'Traceback (most recent call last):\\nValueError: x\\n' > /var/log/bot/worker.log; chown bot:bot "
        "/var/log/bot/worker.log",
        "cat /var/log/bot/worker.log", "Traceback", "rm -f /var/log/bot/worker.log", "logs.no_unhandled_errors",
        "logs.no_unhandled_errors@signoff",
    ),
)
