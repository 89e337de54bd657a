"""The firewall lets the dashboard's ports in."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "network", "nft insert rule inet golive input tcp dport 8000-8002 accept",
        "nft list chain inet golive input | sed -n 4p", "dport 8000-8002",
        "nft delete table inet golive; nft -f /etc/golive/firewall.nft", "dashboard.local_only",
        "firewall.default_drop_persistent", beside=("network.egress_allowlist",),
    ),
)
