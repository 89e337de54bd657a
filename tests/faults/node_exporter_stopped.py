"""The exporter of the machine's metrics has ended."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "process", "systemctl stop prometheus-node-exporter", "systemctl is-active prometheus-node-exporter", "inactive",
        "systemctl start prometheus-node-exporter", "metrics.resource_series_present", "alert.rule.disk_low",
        "alerts.cover_all_thresholds", unwatched=("resources.disk_io",), settle_s=40,
    ),
)
