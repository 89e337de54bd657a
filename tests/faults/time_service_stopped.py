"""The time service has ended."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "process", "systemctl stop chrony", "systemctl is-active chrony", "inactive", "systemctl start chrony",
        "host.clock_synchronised", verdicts={"host.clock_synchronised": "undecided"}, settle_s=60,
    ),
    on_host(
        "bot", "clock",
        "chronyc -a -m 'offline' 'reselect' >/dev/null; chronyc -m 'local off' >/dev/null; systemctl stop chrony; mv "
        "/var/lib/chrony/chrony.drift /var/lib/chrony/chrony.drift.kept 2>/dev/null; echo 'port 0' > /run/golive-fault.conf; "
        "systemd-run -q --unit=golive-fault-time chronyd -x -n -f /run/golive-fault.conf; sleep 2",
        "chronyc -c tracking", "Not synchronised",
        "systemctl stop golive-fault-time; rm -f /run/golive-fault.conf; mv /var/lib/chrony/chrony.drift.kept "
        "/var/lib/chrony/chrony.drift 2>/dev/null; systemctl start chrony",
        "host.clock_synchronised", settle_s=60,
    ),
)
