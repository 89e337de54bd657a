"""A variable that the process needs was not given to it."""
from __future__ import annotations

from .harness.bot_breaks import started_with

TRIALS = (
    started_with(
        "wire", "ExecStart=\nExecStart=/usr/bin/env -u BOT_CONFIG /opt/bot/current/app/bin/bot run --config /etc/bot/wire.json",
        "su -s /bin/sh bot -c \"tr '\\\\0' '\\\\n' < /proc/$PID/environ\" | grep -c BOT_CONFIG || true", "^0$",
        "config.required_env_set",
    ),
)
