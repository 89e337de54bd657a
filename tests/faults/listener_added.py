"""A program listens on all addresses of the bot's host; the firewall still hides it."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "process", "systemd-run -q --unit=golive-fault-listener python3 -m http.server 9999; "
            "for i in $(seq 50); do ss -lnt | grep -q :9999 && break; sleep 0.2; done",
            "ss -lnt", r"0\.0\.0\.0:9999", "systemctl stop golive-fault-listener", "network.listeners"),
)
