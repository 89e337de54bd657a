"""The disk is busy all the time."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "kernel",
        "systemd-run -q --unit=golive-fault-disk sh -c 'end=$(( $(date +%s) + 40 )); while [ $(date +%s) -lt $end ]; do dd "
        "if=/dev/zero of=/var/tmp/golive-fault bs=64k count=400 oflag=direct,dsync 2>/dev/null; done'",
        "systemctl is-active golive-fault-disk", "^active", "systemctl stop golive-fault-disk; rm -f /var/tmp/golive-fault",
        "resources.disk_io", settle_s=40, order=4,
    ),
)
