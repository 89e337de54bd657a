"""The guard has ended: its state grows old at once, its sign of life outside within the minute."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "guard", "process", "systemctl stop golive-guard", "systemctl is-active golive-guard", "inactive",
        "systemctl start golive-guard", "guard.independent", "guard.heartbeat_outside", settle_s=90,
    ),
)
