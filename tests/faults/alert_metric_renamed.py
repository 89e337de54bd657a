"""The series of an alert rule was renamed: it can never fire."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file",
        "cp -p /etc/golive/prometheus/rules.yml /run/golive-fault-rules; sed -i "
        "'s/node_filesystem_avail_bytes/node_filesystem_free_space/g' /etc/golive/prometheus/rules.yml; systemctl reload "
        "prometheus",
        "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:9090/api/v1/rules\").read().decode())' | "
        "grep -c node_filesystem_free_space",
        "^1$", "cp -p /run/golive-fault-rules /etc/golive/prometheus/rules.yml; systemctl reload prometheus",
        "alert.rule.disk_low", "alerts.cover_all_thresholds", settle_s=30,
    ),
)
