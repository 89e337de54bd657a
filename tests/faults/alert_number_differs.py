"""One alert rule has another number than the profile."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file",
        "cp -p /etc/golive/prometheus/rules.yml /run/golive-fault-rules; sed -i 's/bot_last_decision_timestamp > "
        "60/bot_last_decision_timestamp > 600/' /etc/golive/prometheus/rules.yml; systemctl reload prometheus",
        "python3 -c 'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:9090/api/v1/rules\").read().decode())' | "
        "grep -c 'timestamp \\\\u003e 600' || true",
        "^1$", "cp -p /run/golive-fault-rules /etc/golive/prometheus/rules.yml; systemctl reload prometheus",
        "alerts.cover_all_thresholds", settle_s=30,
    ),
)
