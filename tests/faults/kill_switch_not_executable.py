"""The kill switch may not be run."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "guard", "file", "chmod 0640 /usr/local/lib/golive/kill_switch.py",
        "test -x /usr/local/lib/golive/kill_switch.py || echo no", "no", "chmod 0750 /usr/local/lib/golive/kill_switch.py",
        "kill_switch.ready",
    ),
)
