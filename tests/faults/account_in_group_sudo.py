"""An account of a service became a member of a group that is as good as root."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead("bot", "/etc/group", "sed 's/^sudo:.*/&games/'", "id -nG games", "sudo", "host.root_access"),
)
