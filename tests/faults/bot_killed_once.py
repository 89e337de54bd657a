"""The process was killed and brought back by its supervisor."""
from __future__ import annotations

from .harness.bot_breaks import SHADOW
from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "process",
        "systemctl kill -s KILL bot-shadow; for i in $(seq 40); do systemctl is-active -q bot-shadow && break; sleep 0.5; done",
        "systemctl show -p NRestarts bot-shadow", "NRestarts=[1-9]",
        "systemctl reset-failed bot-shadow; systemctl restart bot-shadow", "workloads.no_restarts", unwatched=SHADOW,
        settle_s=60, order=7,
    ),
)
