"""The rules are loaded today and will not be after a boot."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file", "systemctl disable -q golive-firewall", "systemctl is-enabled golive-firewall", "disabled",
        "systemctl enable -q golive-firewall", "firewall.default_drop_persistent", beside=("network.egress_allowlist",),
    ),
)
