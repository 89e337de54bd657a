"""The disk is busy all the time: six writers past the page cache."""
from __future__ import annotations

from .harness.bot_breaks import SHADOW, WIRE
from .harness.host_breaks import on_host

# No shell variable: systemd-run would put its own environment in the place of a dollar sign.
WRITER = "while :; do dd if=/dev/zero of=/var/tmp/golive-fault-{} bs=1M count=64 oflag=direct conv=notrunc 2>/dev/null; done"
LOOK = ("import time; r = lambda: {w[2]: int(w[12]) for w in map(str.split, open(\"/proc/diskstats\"))}; a = r(); time.sleep(3); b = r(); "
        "print(\"busy\", max((b[k] - a[k]) // 30 for k in b), \"percent\")")
TRIALS = (
    on_host(
        "bot", "kernel",
        f"systemd-run -q --unit=golive-fault-disk -p RuntimeMaxSec=180 sh -c \"seq 6 | xargs -P 6 -I{{}} sh -c '{WRITER}'\"",
        f"python3 -c '{LOOK}'", "busy (8[5-9]|9[0-9]|1[0-9][0-9]) percent",
        "systemctl stop golive-fault-disk; rm -f /var/tmp/golive-fault-*",
        "resources.disk_io", unwatched=(*WIRE, *SHADOW), settle_s=60, order=4,
    ),
)
