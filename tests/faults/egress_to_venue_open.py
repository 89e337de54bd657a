"""An address of the real venue answers from the rehearsal's host."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "network",
        "ip addr add 104.16.211.191/32 dev lo; systemd-run -q --unit=golive-fault-venue python3 -c 'import socket,time; "
        "s=socket.create_server((\"104.16.211.191\", 443)); time.sleep(900)'",
        "ss -ltn", "104.16.211.191:443", "systemctl stop golive-fault-venue; ip addr del 104.16.211.191/32 dev lo",
        "rehearsal.cannot_reach_venue", beside=("network.egress_allowlist",), settle_s=10,
    ),
)
