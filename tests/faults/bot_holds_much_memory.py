"""The bot holds 550 MB, more than its unit would allow it."""
from __future__ import annotations

from .harness.bot_breaks import ANSWERS, LIVE, misbehaving
from .harness.host_breaks import on_host

# `set-property` leaves a drop-in behind even where it sets the value that was there.
AGAIN = "rm -rf /run/systemd/system.control/bot-{0}.service.d; systemctl daemon-reload"
#: loaded by every Python of the host; the live bot's configuration, which its ticket names, stays as it was signed
SITE = "/etc/python3.*/sitecustomize.py"
HOLDS = "import os\nif os.environ.get(\"BOT_CONFIG\") == \"/etc/bot/live.json\":\n    held = bytearray(b\"x\") * (550 << 20)\n"
START = "systemctl restart bot-live; " + ANSWERS % "8000"
TRIALS = (
    misbehaving(
        "wire", "{\"allocate_mb\": 550}", "process.memory_sustained", "process.memory_at_startup",
        before="systemctl set-property --runtime bot-wire MemoryMax=infinity",
        after=AGAIN.format("wire"), settle_s=60,
    ),
    on_host(
        "bot", "process",
        f"systemctl set-property --runtime bot-live MemoryMax=infinity; S=$(ls {SITE}); cp $S /run/golive-fault-site; "
        f"printf '{HOLDS}' >> /run/golive-fault-site; mount --bind /run/golive-fault-site $S; {START}",
        "grep VmRSS /proc/$(systemctl show -p MainPID --value bot-live)/status", r"VmRSS:\s+[5-9]\d{5} kB",
        f"umount $(ls {SITE}); rm -f /run/golive-fault-site; {AGAIN.format('live')}; {START}", "process.memory_sustained@live",
        also={"arming.exec_condition_set": "fail"}, unwatched=tuple(one for one in LIVE if one != "process.memory_sustained@live"),
        settle_s=90, order=8,
    ),
)
