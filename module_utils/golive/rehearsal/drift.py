"""A drift on purpose: one line more in a file that golive manages and nothing reads while it is there. Does the scheduled look name it?

The file is one of role `base` on the bot's host: a limit for logins. The line is a comment; the original stands beside it until it is
put back, also by the next run when one was killed between.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .drills.hosts import Host

NAME = "inject_drift"
FILE = "/etc/security/limits.d/90-golive.conf"
KEPT, MARK = "/var/lib/golive-drift-drill", "# put here by a drill of golive: drift on purpose"
OBJECT = f"file:{FILE}"


def inject(bot: Host) -> None:
    """Keep the file and add a line to it."""
    heal(bot)
    bot.need("test", "-f", FILE)
    bot.need("install", "-d", "-m", "0700", KEPT)
    bot.need("cp", "-a", FILE, f"{KEPT}/file")
    bot.need("sh", "-c", f"printf '%s\\n' '{MARK}' >> {FILE}")


def injected(bot: Host) -> bool:
    """Return whether the drift is there: without it a look that finds nothing would be right."""
    return bot.run("grep", "-qxF", MARK, FILE).returncode == 0


def heal(bot: Host) -> None:
    """Put the file back as it was, in one step. Also what a drill left that was killed."""
    bot.run("sh", "-c", f"test ! -e {KEPT}/file || mv {KEPT}/file {FILE}; rm -rf {KEPT}")


def judged(changes: Iterable[Mapping[str, Any]], host: str, there: bool) -> dict[str, Any]:
    """Return the payload's part: was the object named, on its host, by the look that followed?

    `there`: the drift was still there after the look. `others` are objects that the look named and nobody had touched for the drill.
    """
    named = [one for one in changes if one.get("check") is True]
    hit = any(one.get("object") == OBJECT and one.get("host") == host for one in named)
    others = sorted({f"{one.get('host')} {one.get('object')}" for one in named if one.get("object") != OBJECT})
    result = {"named_object": hit and there, "object": f"{host} {OBJECT}", "others": others[:20], "runs_until_found": 1 if hit else None}
    return {"passed": hit and there, "result": {name: value for name, value in result.items() if value is not None}, "opportunities": 1}
