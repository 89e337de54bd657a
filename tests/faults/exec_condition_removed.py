"""A drop-in takes the condition away that only a ticket fulfils."""
from __future__ import annotations

from .harness.host_breaks import on_host

TRIALS = (
    on_host(
        "bot", "file",
        "mkdir -p /etc/systemd/system/bot-live.service.d; printf '[Service]\\nExecCondition=\\n' > "
        "/etc/systemd/system/bot-live.service.d/free.conf; systemctl daemon-reload",
        "systemctl show -p ExecCondition bot-live", "\\A(ExecCondition=)?\\Z",
        "rm -rf /etc/systemd/system/bot-live.service.d/free.conf; systemctl daemon-reload", "arming.exec_condition_set",
    ),
)
