"""Somebody may act as root by a rule of sudo that nobody agreed on."""
from __future__ import annotations

from .harness.host_breaks import on_host

RULE = "/etc/sudoers.d/fault"
TRIALS = (
    on_host("bot", "file", f"printf 'games ALL=(ALL) NOPASSWD: ALL\\n' > {RULE}; chmod 0440 {RULE}",
            "su -s /bin/sh games -c 'sudo -n id -u'", "^0$", f"rm -f {RULE}", "host.root_access"),
)
