"""Others may write the copies on the machine that keeps them."""
from __future__ import annotations

from .harness.host_breaks import on_host

# The folder itself is mounted read-only: a copy of it that everybody may write is mounted over it.
TRIALS = (
    on_host("guard", "file", "cp -a /var/backups/golive-bot /run/golive-fault-backups; chmod o+w /run/golive-fault-backups; "
            "mount --bind /run/golive-fault-backups /var/backups/golive-bot", "stat -c %A /var/backups/golive-bot", "w[x-]$",
            "umount /var/backups/golive-bot; rm -rf /run/golive-fault-backups", "backup.immutable_and_separate"),
)
