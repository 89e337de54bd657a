"""One run of the journey as its user starts it, watched task by task, so that something can happen to it at a chosen instant."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from golive.canonical import parse_utc
from golive.catalogue import PHASES
from golive.rundir import RunDir
from golive.session import ROOT, reports_of

from ..harness import compiled
from ..harness.lab import INVENTORY
from .callback import boundaries

BIN = Path(sys.executable).parent
LONGEST_S = 1500.0
CALLBACKS = f"{ROOT / 'plugins/callback'}:{Path(__file__).parent / 'callback'}"
#: where what the runs say is kept for the search for secrets; None: nowhere
OUTPUTS: Path | None = None


@dataclass
class Ended:
    """How a run ended: exit code (negative: killed by that signal), what it said, its directory, how many tasks had begun, and which."""

    code: int
    output: str
    run: RunDir
    tasks: int
    took_s: float
    boundaries: list[dict[str, Any]] = field(default_factory=list)

    def places(self) -> list[tuple[str, str]]:
        """Return play and task of each task that began."""
        return [(one["play"], one["task"]) for one in self.boundaries]

    def recorded_by(self, number: int) -> int:
        """Return how many changes had been recorded when the task of this number began."""
        return next((one["changes"] for one in self.boundaries if one["number"] == number and one["run"] == self.run.run), 0)

    def changes(self, until: int | None = None) -> list[dict[str, Any]]:
        """Return what it changed, or predicted in a dry run, up to a record; what a drill of a real run only looked at is neither."""
        lines = self.run.lines("changes.jsonl")[:until]
        return [one for one in lines if one["check"] == (self.run.read("run.json") or {}).get("mode", "real").startswith("check")]

    def until(self) -> str | None:
        """Return from when a closed gate would let it go on; None where all gates are open or time does not help."""
        gates = [gate for phase in PHASES if (gate := self.run.read(f"{phase}/gate.json")) is not None]
        return None if not gates or gates[-1]["open"] else gates[-1].get("until")

    def failed(self) -> list[str]:
        """Return the tasks that failed or did not reach a host."""
        return [f"{one['host']} {one['status']} at {one['task']}: {one['text'][:160]}" for one in self.run.lines("hosts.jsonl")]


def journey(*arguments: str, at_task: int | str = 0, delay_s: float = 0.0,
            act: Callable[[subprocess.Popen[str]], None] | None = None, kill_at: int | str = "") -> Ended:
    """Run golive.yml; when its task `at_task` (number or name) begins (and `delay_s` later), `act` is called once with the process.

    With `kill_at` the controller and all that it started die at the boundary before this task.
    """
    with tempfile.TemporaryDirectory(prefix="golive-boundaries-") as folder:
        file = Path(folder) / "boundaries.jsonl"
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1",
                       "ANSIBLE_CALLBACKS_ENABLED": "golive,boundaries", "ANSIBLE_CALLBACK_PLUGINS": CALLBACKS,
                       "GOLIVE_BOUNDARIES": str(file), "GOLIVE_REPORTS": str(reports_of(compiled.SYSTEM)),
                       "GOLIVE_KILL_AT": str(kill_at)}
        began = time.monotonic()
        process = subprocess.Popen([str(BIN / "ansible-playbook"), "-i", str(INVENTORY), "golive.yml", *arguments], cwd=ROOT,
                                   env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   errors="replace", start_new_session=True)
        output = _follow(process, None if act is None else lambda: strike(process, file, at_task, delay_s, act))
        code = process.wait()
        took_s = time.monotonic() - began
        lines = file.read_text().splitlines() if file.is_file() else []
    if OUTPUTS is not None:
        OUTPUTS.mkdir(mode=0o700, parents=True, exist_ok=True)
        (OUTPUTS / f"{process.pid}.txt").write_text(output, "utf-8")
    found = [json.loads(line) for line in lines]
    return Ended(code, output, RunDir((reports_of(compiled.SYSTEM) / "latest").resolve()), len(found), took_s, found)


def _follow(process: subprocess.Popen[str], act: Callable[[], None] | None) -> str:
    assert process.stdout is not None
    watch = threading.Timer(LONGEST_S, lambda: kill_all(process))
    watch.daemon = True
    watch.start()
    striking = threading.Thread(target=act, daemon=True) if act is not None else None
    if striking is not None:
        striking.start()
    try:
        output = process.stdout.read()
        if striking is not None:
            striking.join()  # what it does to a host ends before the host is healed
    finally:
        watch.cancel()
    return output


def strike(process: subprocess.Popen[str], file: Path, at_task: int | str, delay_s: float,
           act: Callable[[subprocess.Popen[str]], None]) -> None:
    """Call `act` once when the task of this number or name has begun, and a little later: the random instant within the task.

    Tasks are counted by the callback as boundaries are: Ansible's own output does not name a task that is skipped on every host.
    """
    while process.poll() is None:
        lines = file.read_text().splitlines() if file.is_file() else []
        begun = [json.loads(line) for line in lines if line.endswith("}")]
        if any(at_task in (one["number"], one["task"]) or (isinstance(at_task, int) and one["number"] > at_task) for one in begun):
            time.sleep(delay_s)
            if process.poll() is None:
                act(process)
            return
        time.sleep(0.05)


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill the controller: ansible-playbook with all its workers and connections, as a power cut would."""
    boundaries.kill_all(process.pid)


def newest() -> Ended:
    """Return how the newest run ended, from its own records: exit code 0 for a real one whose gates are all open, to the last phase."""
    run = RunDir((reports_of(compiled.SYSTEM) / "latest").resolve())
    gates = [run.read(f"{phase}/gate.json") for phase in PHASES]
    whole = all(gate is not None and gate["open"] for gate in gates) and not run.lines("hosts.jsonl")
    return Ended(0 if whole and (run.read("run.json") or {}).get("mode") == "real" else 2, "", run, 0, 0.0)


def wait_until(ended: Ended) -> None:
    """Wait, where a closed gate says from when it could open: two minutes at most."""
    until = ended.until()
    if until is not None:
        time.sleep(min(120.0, max(0.0, (parse_utc(until) - datetime.now(UTC)).total_seconds())))


def to_its_end(*arguments: str, attempts: int = 6) -> list[Ended]:
    """Run the journey until it is at its end, or until waiting does not help; a closed gate that says `until` is waited for."""
    found = [journey(*arguments)]
    while found[-1].code != 0 and len(found) < attempts:
        wait_until(found[-1])
        found.append(journey(*arguments))
    return found
