"""One instance runs another release than the others."""
from __future__ import annotations

from .harness.bot_breaks import started_with

OLD = "0" * 64
# A second release directory: the same program under another digest.
COPY = f"cp -a $(readlink -f /opt/bot/current) /opt/bot/releases/{OLD}"
TRIALS = (
    started_with(
        "wire", f"WorkingDirectory=/opt/bot/releases/{OLD}/app\nExecStart=\nExecStart=/opt/bot/releases/{OLD}/app/bin/bot run",
        "readlink /proc/$PID/cwd || su -s /bin/sh bot -c \"readlink /proc/$PID/cwd\"", OLD, "deploy.same_release_everywhere",
        before=COPY, after=f"rm -rf /opt/bot/releases/{OLD}",
    ),
)
