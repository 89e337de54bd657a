"""A signature of the installed ticket is missing: one person's word would be enough."""
from __future__ import annotations

from .harness.host_breaks import on_host

INSTALLED = "$(readlink -f /etc/golive/arm/installed)"
TRIALS = (
    on_host(
        "bot", "file",
        # The folder is seen without the signature: another one is mounted over it, the real one lies beneath as it was.
        f"rm -rf /run/golive-fault-ticket; cp -a {INSTALLED} /run/golive-fault-ticket; "
        "rm $(ls /run/golive-fault-ticket/*.sig | head -1); "
        f"mount --bind /run/golive-fault-ticket {INSTALLED}",
        f"ls {INSTALLED} | grep -c sig", "^1$",
        f"umount {INSTALLED}; rm -rf /run/golive-fault-ticket; /usr/bin/python3 -I /usr/local/lib/golive/ticket.py tick",
        "arming.ticket_valid", "mode.switch_to_live", "signoff.two_person",
        unwatched=("ramp.stage_limits", "process.decides", "process.decides@live"), settle_s=20, order=8,
    ),
)
