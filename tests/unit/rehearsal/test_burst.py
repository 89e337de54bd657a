"""The burst in a log: more than the limit is written once, and what was not seen is said, not hidden."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from golive.rehearsal import burst
from golive.rehearsal.drills import hosts


class Bot:
    """A host whose rotation moves the log away, and whose writer begins a new one, each if told so."""

    def __init__(self, rotates: bool = True, reopens: bool = True) -> None:
        self.rotates, self.reopens, self.looked, self.written = rotates, reopens, False, 0

    def run(self, *command: str) -> Any:
        if command[0] == "sh":
            return SimpleNamespace(returncode=0 if self.looked and self.rotates else 1, stdout="")
        if command[0] == "stat":
            return SimpleNamespace(returncode=0, stdout="2\n" if self.looked and self.rotates and self.reopens else "1\n")
        return SimpleNamespace(returncode=0, stdout="")

    def need(self, *command: str) -> str:
        self.looked |= burst.ROTATION in command
        self.written += "runuser" in command
        return ""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burst, "wait_for", lambda question, what: hosts.wait_for(question, what, 0, 0))


def test_a_rotation_that_acts_is_told() -> None:
    bot = Bot()
    assert not burst.rotated(bot, "/log")  # type: ignore[arg-type]
    assert "gave a generation" in burst.burst(bot, "/log", 1000, "bot")  # type: ignore[arg-type]
    assert bot.written == 1


@pytest.mark.parametrize(("bot", "words"), [(Bot(rotates=False), "a generation was made"), (Bot(reopens=False), "writes to the new file")])
def test_what_was_not_seen_is_a_failure_in_words(bot: Any, words: str) -> None:
    told = burst.burst(bot, "/log", 1000, "bot")
    assert told.startswith("FAILED")
    assert words in told


def test_the_lines_are_more_than_the_limit_and_in_the_logs_own_form(tmp_path: Path) -> None:
    log = tmp_path / "bot.log"
    log.write_text('{"message": "before"}\n')
    subprocess.run([sys.executable, "-c", burst._WRITE, str(log), "10000"], check=True)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[0] == {"message": "before"}
    assert log.stat().st_size > 10000
    assert {line["level"] for line in lines[1:]} == {"INFO"}
