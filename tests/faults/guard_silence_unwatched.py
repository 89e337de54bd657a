"""Nobody looks whether the guard lives: what pages its silence has ended on the host outside."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "outside", "process", "systemctl stop golive-guard-silence", "systemctl is-active golive-guard-silence", "inactive",
        "systemctl start golive-guard-silence", "guard.silence_pages", settle_s=10,
    ),
)
