"""The bot's directory of control files cannot be read by it."""
from __future__ import annotations

from .harness.host_breaks import on_host

# The bot complains in its log about what it cannot read, and the log is judged over a window: these lines linger.
TRIALS = (
    on_host(
        "bot", "file", "chmod 0700 /run/bot/wire", "stat -c %a /run/bot/wire", "^700$", "chmod 0755 /run/bot/wire", "paper.setup_valid",
        unwatched=("logs.no_unhandled_errors", "logs.no_unhandled_errors@signoff"), lingers=True, settle_s=140, order=8,
    ),
)
