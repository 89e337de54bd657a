"""Two lab hosts for the set modules and roles, and a way to run a play on them and see what it changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = """\
all:
  children:
    rehearsal:
      hosts:
        subject: {ansible_host: 172.30.92.21}
        other: {ansible_host: 172.30.92.22}
      vars: {lab_network: 172.30.92.0/24, lab_name: settest}
    targets: {hosts: {subject: {}, other: {}}}
"""
Objects = list[tuple[str, str]]
Play = dict[str, Any] | list[dict[str, Any]]


@dataclass(frozen=True)
class Run:
    """A finished play: exit code, recorded changes, everything it printed."""

    rc: int
    changes: list[dict[str, Any]]
    text: str

    @property
    def objects(self) -> Objects:
        """What was changed (or predicted), as (object, op)."""
        return [(change["object"], change["op"]) for change in self.changes]

    @property
    def by_host(self) -> set[tuple[str, str, str]]:
        """The same with the host, as a set."""
        return {(change["host"], change["object"], change["op"]) for change in self.changes}

    def must(self) -> Run:
        """Fail the test with the play's own words unless it went well."""
        assert self.rc == 0, self.text[-3000:]
        return self


@dataclass(frozen=True)
class Lab:
    """The hosts of an inventory file."""

    inventory: Path
    place: Path

    def tool(self, *words: str) -> subprocess.CompletedProcess[str]:
        act, *rest = words
        return subprocess.run(
            [sys.executable, "-m", "golive.lab", act, "-i", str(self.inventory), *rest],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    def inside(self, *argv: str, host: str = "subject") -> str:
        """Run a command as root inside a host, not over ssh; return what it printed."""
        done = self.tool("exec", host, "--", *argv)
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def begin(self, play: Play, *words: str) -> subprocess.Popen[str]:
        """Start a play on `subject`, or a list of plays on others; their changes are recorded in `record`."""
        path = self.place / "play.yml"
        plays = play if isinstance(play, list) else [play]
        path.write_text(yaml.safe_dump([{"hosts": "subject", "gather_facts": False, **one} for one in plays]))
        self.record.unlink(missing_ok=True)
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GOLIVE_RECORD_CHANGES": str(self.record)}
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory), str(path), *words]
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    @property
    def record(self) -> Path:
        return self.place / "changes.jsonl"

    def run(self, play: Play, *words: str) -> Run:
        """Run plays to their end."""
        process = self.begin(play, *words)
        text, _ = process.communicate()
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return Run(process.returncode, [json.loads(line) for line in lines], text)

    def four_runs(self, play: Play) -> Objects:
        """Check, real, check, real: the first two name the same objects, the last two none. Returns the objects."""
        predicted, real = self.run(play, "--check").must(), self.run(play).must()
        assert predicted.by_host == real.by_host
        assert len(predicted.objects) == len(predicted.by_host), "something was predicted twice"
        for words in (["--check"], []):
            assert self.run(play, *words).must().objects == []
        return real.objects


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The two hosts, made for this test session. GOLIVE_SETS_INVENTORY names hosts that are there already (for developing)."""
    place = tmp_path_factory.mktemp("sets")
    given = os.environ.get("GOLIVE_SETS_INVENTORY")
    inventory = Path(given) if given else place / "lab.yml"
    if not given:
        inventory.write_text(INVENTORY)
        (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    lab = Lab(inventory, place)
    done = lab.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    if not given:
        lab.tool("down")


@pytest.fixture
def bare(lab: Lab) -> Lab:
    """The lab with its hosts as bare as they were made."""
    return _reset(lab)


@pytest.fixture(scope="module")
def shared(lab: Lab) -> Lab:
    """The lab, bare at the start of the module; its tests leave the host as they found it, or do not mind."""
    return _reset(lab)


def _reset(lab: Lab) -> Lab:
    done = lab.tool("reset", "subject", "other")
    assert done.returncode == 0, done.stdout + done.stderr
    return lab


def wait_for(question: Callable[[], Any], what: str, deadline_s: float = 90) -> Any:
    """Ask until the answer is true; the deadline only ends a test that will never pass."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.2)
    raise AssertionError(f"waited in vain for: {what}")
