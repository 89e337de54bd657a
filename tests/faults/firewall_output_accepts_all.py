"""One rule lets everything out."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "network", "nft insert rule inet golive output accept", "nft list chain inet golive output | sed -n 4p", "accept",
            "nft delete table inet golive; nft -f /etc/golive/firewall.nft", "network.egress_allowlist", "firewall.default_drop_persistent",
            beside=("dashboard.local_only",)),
)
