"""The day's sample of the crash and prediction campaigns, in miniature: the controller dies at boundaries drawn by the day's seed.

`make prove` runs the campaigns on the lab (tests/faults/journeys); here the same boundaries and comparisons run on three phases that build
files on this machine, within a minute.
"""
from __future__ import annotations

import json
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.audit import AuditLog

from .conftest import ROOT, Mini

BOUNDARIES = 1
FILES = 3
Name = tuple[str, str, str]


@dataclass
class Ended:
    """How a run ended: its code, the tasks that began, what it changed or predicted."""

    code: int
    tasks: list[dict[str, Any]]
    changes: list[Name]


def journey(mini: Mini, *arguments: str, kill_at: int = 0) -> Ended:
    boundaries = mini.path.parent / "boundaries.jsonl"
    boundaries.unlink(missing_ok=True)
    done = mini.run(*arguments, ANSIBLE_CALLBACKS_ENABLED="golive,boundaries", GOLIVE_KILL_AT=str(kill_at),
                    ANSIBLE_CALLBACK_PLUGINS=f"{mini.path}/plugins/callback:{ROOT}/tests/faults/journeys/callback",
                    GOLIVE_BOUNDARIES=str(boundaries), GOLIVE_REPORTS=str(mini.path / "reports/slice"))
    tasks = [json.loads(line) for line in boundaries.read_text().splitlines()]
    file = mini.path / "reports/slice/latest/changes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    assert "Traceback" not in done.stdout + done.stderr
    return Ended(done.returncode, tasks, [(one["host"], one["object"], one["op"]) for one in lines])


@pytest.fixture
def built(mini: Mini, tmp_path: Path) -> Path:
    """Let two phases of the miniature build files on both hosts, each by a task of its own."""
    for phase in ("provision", "deploy"):
        tasks = [{"name": f"{phase} file {number}", "managed_files": {
            "directories": [{"path": f"{tmp_path}/{{{{ inventory_hostname }}}}-{phase}-{number}"}],
            "files": [{"path": f"{tmp_path}/{{{{ inventory_hostname }}}}-{phase}-{number}/file", "content": f"{number}\n"}]}}
            for number in range(FILES)]
        path = mini.path / f"playbooks/{phase}.yml"
        plays = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump([{"name": f"Build {phase}", "hosts": "targets", "gather_facts": False, "tasks": tasks}, *plays]))
    return tmp_path


def state(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): f"{path.stat().st_mode:o} {path.read_text() if path.is_file() else ''}"
            for host in ("alpha", "beta") for path in sorted(folder.glob(f"{host}-*/**/*"))}


def test_a_journey_that_died_at_any_boundary_does_the_rest_as_predicted_and_nothing_twice(
        mini: Mini, built: Path, request: pytest.FixtureRequest) -> None:
    rng = random.Random(request.config.getoption("--slice-day"))
    whole = journey(mini, "--check")
    assert whole.code == 0
    assert len(set(whole.changes)) == len(whole.changes) == 2 * 2 * 2 * FILES
    assert state(built) == {}
    number = len(whole.tasks)
    done: list[Name] = []
    for at in sorted(rng.sample(range(2, number), BOUNDARIES)):
        ended = journey(mini, kill_at=at)
        assert ended.code == -9
        done += ended.changes
        assert set(done) == set(whole.changes[:whole.tasks[at - 1]["changes"]]), f"died at task {at} of {number}"
        check = journey(mini, "--check")
        assert (check.code, set(check.changes)) == (0, set(whole.changes) - set(done)), f"died at task {at} of {number}"
    ended = journey(mini)
    assert ended.code == 0
    assert sorted(done + ended.changes) == sorted(whole.changes)
    assert len(state(built)) == 2 * 2 * FILES
    assert AuditLog(str(mini.path / "reports/slice/audit.jsonl")).verify().lines
    assert journey(mini, "--check").changes == []


def test_a_boundary_is_where_it_says(mini: Mini, built: Path) -> None:
    ended = journey(mini, kill_at=5)
    assert [one["number"] for one in ended.tasks] == [1, 2, 3, 4, 5]
    assert len(ended.changes) == ended.tasks[-1]["changes"]
    left = subprocess.run(["pgrep", "-f", str(mini.path)], capture_output=True, text=True, check=False).stdout.split()
    assert left == []
