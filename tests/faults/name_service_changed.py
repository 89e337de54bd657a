"""Names are answered by a resolver, or by a line of the hosts file, that nobody agreed on."""
from __future__ import annotations

from .harness.host_breaks import on_host

KEPT = "/run/golive-fault-names"
TRIALS = tuple(
    on_host("bot", "file", f"cat {path} > {KEPT}; echo '{line}' {how} {path}", f"tail -1 {path}", f"^{line}$",
            f"test ! -e {KEPT} || cat {KEPT} > {path}; rm -f {KEPT}", "network.name_service")     # a container mounts it: its inode stays
    for path, line, how in (("/etc/resolv.conf", "nameserver 198.51.100.7", ">"), ("/etc/hosts", "203.0.113.9 api.kraken.com", ">>"))
)
