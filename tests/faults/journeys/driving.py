"""One run of the journey as its user starts it, watched task by task, so that something can happen to it at a chosen instant."""
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from golive.canonical import parse_utc
from golive.catalogue import PHASES
from golive.rundir import RunDir
from golive.session import ROOT, reports_of

from ..harness import compiled
from ..harness.lab import INVENTORY

BIN = Path(sys.executable).parent
LONGEST_S = 1500.0
#: where what the runs say is kept for the search for secrets; None: nowhere
OUTPUTS: Path | None = None


@dataclass
class Ended:
    """How a run ended: exit code (negative: killed by that signal), what it said, its directory, how many tasks had begun."""

    code: int
    output: str
    run: RunDir
    tasks: int
    took_s: float

    def changes(self) -> list[dict[str, Any]]:
        """Return what it changed, or predicted in a dry run; what a drill of a real run only looked at is neither."""
        lines = self.run.lines("changes.jsonl")
        return [one for one in lines if one["check"] == (self.run.read("run.json") or {}).get("mode", "real").startswith("check")]

    def until(self) -> str | None:
        """Return from when a closed gate would let it go on; None where all gates are open or time does not help."""
        gates = [gate for phase in PHASES if (gate := self.run.read(f"{phase}/gate.json")) is not None]
        return None if not gates or gates[-1]["open"] else gates[-1].get("until")

    def failed(self) -> list[str]:
        """Return the tasks that failed or did not reach a host."""
        return [f"{one['host']} {one['status']} at {one['task']}: {one['text'][:160]}" for one in self.run.lines("hosts.jsonl")]


def journey(*arguments: str, at_task: int = 0, delay_s: float = 0.0,
            act: Callable[[subprocess.Popen[str]], None] | None = None) -> Ended:
    """Run golive.yml; when its task number `at_task` begins (and `delay_s` later), `act` is called once with the process."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    began = time.monotonic()
    process = subprocess.Popen([str(BIN / "ansible-playbook"), "-i", str(INVENTORY), "golive.yml", *arguments], cwd=ROOT, env=environment,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True)
    assert process.stdout is not None
    watch = threading.Timer(LONGEST_S, lambda: kill_all(process))
    watch.daemon = True
    watch.start()
    output, tasks = [], 0
    try:
        for line in process.stdout:
            output.append(line)
            if line.startswith("TASK ["):
                tasks += 1
                if tasks == at_task and act is not None:
                    time.sleep(delay_s)  # the random instant within the task
                    act(process)
    finally:
        watch.cancel()
    code = process.wait()
    if OUTPUTS is not None:
        OUTPUTS.mkdir(mode=0o700, parents=True, exist_ok=True)
        (OUTPUTS / f"{process.pid}.txt").write_text("".join(output), "utf-8")
    return Ended(code, "".join(output), RunDir((reports_of(compiled.SYSTEM) / "latest").resolve()), tasks, time.monotonic() - began)


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill the controller: ansible-playbook with all its workers and connections, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)


def to_its_end(*arguments: str, attempts: int = 6) -> list[Ended]:
    """Run the journey until it is at its end, or until waiting does not help; a closed gate that says `until` is waited for."""
    found = [journey(*arguments)]
    while found[-1].code != 0 and len(found) < attempts:
        until = found[-1].until()
        if until is not None:
            time.sleep(min(120.0, max(0.0, (parse_utc(until) - datetime.now(UTC)).total_seconds())))
        elif found[-1].code not in (4,) and len(found) > 2:
            break
        found.append(journey(*arguments))
    return found
