"""Our table is gone from the kernel: everything passes."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host("bot", "network", "nft delete table inet golive", "nft list tables", r"\A(?!.*inet golive)", "nft -f /etc/golive/firewall.nft",
            "firewall.default_drop_persistent", "network.egress_allowlist", "dashboard.local_only"),
)
