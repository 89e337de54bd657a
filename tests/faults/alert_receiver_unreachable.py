"""Where a person would be paged nobody listens."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "outside", "network", "systemctl stop golive-alert-receiver", "systemctl is-active golive-alert-receiver", "inactive",
        "systemctl start golive-alert-receiver", verdicts={"alerts.delivered_end_to_end": "undecided"}, settle_s=30,
    ),
)
