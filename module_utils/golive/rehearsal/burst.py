"""A burst in the log of a paper half, larger than the limit: does the rotation act, and does the bot write to the new file?"""
from __future__ import annotations

from .drills.hosts import Host, NotSeen, wait_for

ROTATION = "golive-logrotate.service"
# As the user who writes the log: lines that say what they are, in the log's own form, up to the size that is given.
_WRITE = """import json, sys, time
path, size = sys.argv[1], int(sys.argv[2])
line = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "level": "INFO", "logger": "golive.drill",
                   "message": "burst of a drill: the log has to be rotated", "filler": "." * 900}) + "\\n"
with open(path, "a") as out:
    for _ in range(size // len(line) + 1):
        out.write(line)
"""


def rotated(bot: Host, path: str) -> bool:
    """Return whether a rotated generation of a log lies there."""
    return bot.run("sh", "-c", f"ls {path}.* {path}-* 2>/dev/null | grep -q .").returncode == 0


def burst(bot: Host, path: str, limit: int, user: str) -> str:
    """Write more than the limit, let the rotation look, and return what was seen, in one sentence."""
    before = _inode(bot, path)
    bot.need("runuser", "-u", user, "--", "python3", "-c", _WRITE, path, str(limit))
    bot.need("systemctl", "start", ROTATION)
    try:
        wait_for(lambda: rotated(bot, path), "a generation was made")
        wait_for(lambda: _inode(bot, path) not in (before, "") and bot.run("test", "-s", path).returncode == 0,
                 "the bot writes to the new file")
    except NotSeen as exc:
        return f"FAILED: {exc} did not come true; look at {ROTATION} and at how the writer opens its log"
    return f"{limit} bytes gave a generation, and the bot writes to the new file"


def _inode(bot: Host, path: str) -> str:
    return bot.run("stat", "-c", "%i", path).stdout.strip()
