"""The log was rotated away, and its writer writes on into the old file."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file",
        "systemctl kill -s STOP bot-wire; mv /var/log/bot/wire.log /var/log/bot/wire.log.moved; install -o bot -g bot -m 0640 "
        "/dev/null /var/log/bot/wire.log",
        "stat -c %s /var/log/bot/wire.log", "^0$",
        "mv /var/log/bot/wire.log.moved /var/log/bot/wire.log; systemctl kill -s CONT bot-wire", "logs.rotated_below_10mb",
        "logs.rotated_below_10mb@paper", "logs.rotated_below_10mb@burst",
    ),
)
