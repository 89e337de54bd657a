"""What sends alerts has ended: the sign of life that always fires is missed within minutes."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "process", "systemctl stop prometheus-alertmanager", "systemctl is-active prometheus-alertmanager", "inactive",
        "systemctl start prometheus-alertmanager", "alerts.delivered_end_to_end", settle_s=420, order=8,
    ),
)
