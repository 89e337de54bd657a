"""An account of a service became a member of a group that is as good as root; one that may use sudo elsewhere is none that may here."""
from __future__ import annotations

from .harness.host_breaks import instead

TRIALS = (
    instead("bot", "/etc/group", "sed 's/^sudo:.*/&games/'", "id -nG games", "sudo", "host.root_access"),
    instead("guard", "/etc/group", "sed 's/^sudo:.*/&golive-guard/'", "id -nG golive-guard", "sudo", "host.root_access"),
)
