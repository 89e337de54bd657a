"""What runs beside the cancel and is never waited for: the epoch, the fence around the bot, the page to people."""
from __future__ import annotations

import json
import os
import threading
import time
import urllib.parse
from typing import Any, Callable, Dict, List, Optional

from .line import Line
from .words import Silent

FENCE_BUDGET_S = 2.0
CONSOLE = "log in at the venue, delete the bot's API key, cancel its orders"


class Beside:
    """Three things that need no venue. Each says its trouble once and keeps nobody waiting."""

    def __init__(self, settings: Dict[str, Any], mark: Callable[[str], None], trouble: Callable[[str], None],
                 say: Callable[[str], None]) -> None:
        self._settings, self._mark, self._trouble, self._say = settings, mark, trouble, say
        self.fenced = threading.Event()
        self.epoch: Optional[int] = None
        self._threads = [threading.Thread(target=part, daemon=True) for part in (self.raise_epoch, self.fence, self.page)]

    def start(self) -> None:
        """Begin all three."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Give the epoch its time; it stops every other money action and is worth two seconds."""
        self._threads[0].join(FENCE_BUDGET_S)

    def raise_epoch(self) -> None:
        """Raise the counter that every other money action asks for; a money action with an older ticket is refused from now on."""
        directory = self._settings["epoch_directory"]
        try:
            os.makedirs(directory, mode=0o755, exist_ok=True)
            known = max([int(name) for name in os.listdir(directory) if name.isdigit()] or [0])
            # Seconds since 1970 keep rising even where the directory was lost with its disk. One empty file an epoch needs no lock.
            self.epoch = max(known + 1, int(time.time()))
            os.close(os.open(os.path.join(directory, str(self.epoch)), os.O_CREAT | os.O_WRONLY, 0o644))
            handle = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except (OSError, ValueError) as exc:
            self._trouble("the epoch could not be raised here: %s" % type(exc).__name__)

    def fence(self) -> None:
        """Stop and mask the bot on its own host by a forced ssh command, again and again until it is confirmed."""
        import subprocess  # noqa: PLC0415 (imported beside the first cancel, not before it)
        command: List[str] = self._settings.get("fence") or []
        if not command:
            if not self.fenced.is_set():
                self._trouble("no way to reach the bot's host is configured: power it off yourself, then confirm with --fenced")
            return
        told = False
        while not self.fenced.is_set():
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=15, check=False)
                answer = json.loads(done.stdout or b"{}") if done.returncode == 0 else {}
                if answer.get("stopped") is True:
                    self._mark("fenced_s")
                    self.fenced.set()
                    self._say("the bot is stopped%s on its host" % ("" if answer.get("masked") is False else " and masked"))
                    undone = [word for word in ("masked", "voided") if answer.get(word) is False]
                    if undone:
                        self._trouble("on the bot's host it is not %s, and may come back: %s" % (
                            " and not ".join(undone), "; ".join(str(one) for one in answer.get("problems") or [])[:300] or "no reason"))
                    return
                words = (done.stderr or done.stdout).decode("utf-8", "replace").strip()[-200:]
            except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as exc:
                words = type(exc).__name__
            if not told:
                self._trouble("the bot's host did not confirm the stop (%s): power it off, then confirm with --fenced" % words)
                told = True
            time.sleep(1)

    def page(self) -> None:
        """Tell people, by a webhook; never waited for."""
        self.tell("The kill switch was pulled", "paged_s")

    def tell(self, text: str, mark: str) -> None:
        """Send one alert."""
        page = self._settings.get("page")
        if not page:
            return
        try:
            with open(page["token_file"], encoding="ascii") as handle:
                token = handle.read().strip()
            body = json.dumps([{"labels": {"alertname": "KillSwitch", "severity": "critical", "system": self._settings["system"]},
                                "annotations": {"summary": text}}])
            line = Line(page["url"], page.get("ca_file") or None)
            status, _, _ = line.ask("POST", urllib.parse.urlsplit(page["url"]).path or "/alerts", body.encode(),
                                    {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
            line.drop()
            if status >= 300:
                raise OSError("status %d" % status)
            self._mark(mark)
        except (OSError, KeyError, Silent) as exc:
            self._trouble("nobody could be paged: %s" % (str(exc)[:80] or type(exc).__name__))
