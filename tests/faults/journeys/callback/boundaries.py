"""Counts the tasks of a run: one line as each begins, with what had been recorded by then; at a chosen one the controller dies.

Ansible calls it in the process that has just recorded every result of the task before: what it writes is the boundary, and so is its kill.
"""
from __future__ import annotations

import contextlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: boundaries
    type: notification
    short_description: Boundaries between tasks, for the campaigns of tests/faults/journeys
    description: Writes GOLIVE_BOUNDARIES, and kills the controller with all that it started at the task GOLIVE_KILL_AT (number or name).
"""


def descendants(pid: int) -> list[int]:
    """Return the processes that a process started, and what those started, also where they left its session."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents.setdefault(int((folder / "stat").read_text().rpartition(")")[2].split()[1]), []).append(int(folder.name))
        except (OSError, IndexError, ValueError):
            continue
    found, ahead = [], [pid]
    while ahead:
        children = parents.get(ahead.pop(), [])
        found += children
        ahead += children
    return found


def kill_all(pid: int) -> None:
    """Kill a process and all that it started, as a power cut would. Ansible's workers have sessions of their own: a group is not enough."""
    if pid != os.getpid():
        os.kill(pid, signal.SIGSTOP)  # it starts nothing more
    for one in (*descendants(pid), pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible has no types
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "boundaries"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._file = Path(os.environ["GOLIVE_BOUNDARIES"])
        self._at = os.environ.get("GOLIVE_KILL_AT") or None
        self._reports = Path(os.environ["GOLIVE_REPORTS"])
        self._play = ""

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = str(play.get_name()).strip()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        self._number += 1
        run = (self._reports / "latest").resolve()
        changes = run / "changes.jsonl"
        line = {"number": self._number, "task": str(task.get_name()), "play": self._play, "run": run.name,
                "changes": len(changes.read_bytes().splitlines()) if changes.is_file() else 0}
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if self._at in (str(self._number), line["task"]):
            kill_all(os.getpid())
