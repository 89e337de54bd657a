"""The saved plan on the lab of the journey: carried out while nothing moves on; refused, with its name, when host, inventory or code did.

It goes on from the lab as `make golive` leaves it (live) and brings it there first where it is not. It runs with `make prove` only:
it takes minutes, and shares its hosts with the journey.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.journey, pytest.mark.timeout(3600)]
ROOT = Path(__file__).resolve().parents[3]
SOURCE = Path(os.environ.get("GOLIVE_INVENTORY") or ROOT / "inventories/kraken-micro/lab.yml")
REPORTS = ROOT / "reports/kraken-micro"
# Nothing is restarted for them: what runs, and what was measured about it, stays as it was.
EARLY, LATE = ("guard", "/etc/security/limits.d/90-golive.conf"), ("bot", "/etc/golive/logrotate.conf")
Place = tuple[str, str]


class Ended:
    """How a run of the journey ended, what it said, and where its records are."""

    def __init__(self, code: int, output: str) -> None:
        self.code, self.output, self.words = code, output, " ".join(output.split())
        self.path = (REPORTS / "latest").resolve()

    def read(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())

    def changes(self) -> set[tuple[str, str, str]]:
        """Return what it changed, or predicted where it was a dry run; what a drill of a real run looked at in check mode is neither."""
        file, check = self.path / "changes.jsonl", self.read("run.json")["mode"] == "check"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return {(one["host"], one["object"], one["op"]) for one in lines if one["check"] == check}


def begun(inventory: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "golive.yml", "-i", str(inventory), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace")


def journey(inventory: Path, *arguments: str) -> Ended:
    process = begun(inventory, *arguments)
    output = process.communicate()[0]
    return Ended(process.returncode, output)


def on(host: str, *command: str) -> str:
    done = subprocess.run([sys.executable, "-m", "golive.lab", "exec", "--inventory", str(SOURCE), host, "--", *command], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def content(place: Place) -> str:
    return on(place[0], "cat", place[1])


def by_hand(place: Place) -> None:
    on(place[0], "sh", "-c", f"echo '# by hand' >> {place[1]}")


def undone(place: Place) -> None:
    on(place[0], "sed", "-i", "/^# by hand$/d", place[1])


def update(place: Place) -> tuple[str, str, str]:
    return place[0], f"file:{place[1]}", "update"


def runs() -> set[str]:
    return {path.name for path in REPORTS.iterdir() if path.is_dir() and not path.is_symlink()}


def real_runs() -> set[str]:
    return {name for name in runs() if (file := REPORTS / name / "run.json").is_file() and json.loads(file.read_text())["mode"] == "real"}


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the inventory, which a test may change, with the lab's own keys."""
    place = tmp_path_factory.mktemp("inventories") / "kraken-micro"
    shutil.copytree(SOURCE.parent / "group_vars", place / "group_vars")
    shutil.copy(SOURCE, place / "lab.yml")
    for name in ("lab", "known_hosts"):
        (place / name).symlink_to(SOURCE.resolve().parent / name)
    return place / "lab.yml"


@pytest.fixture(scope="module")
def live(inventory: Path) -> Iterator[dict[Place, str]]:
    """Bring the lab to the end of the journey; yield what the files hold there, and leave them so."""
    run = journey(inventory)
    assert run.code == 0, run.output[-4000:]
    held = {place: content(place) for place in (EARLY, LATE)}
    yield held
    for place in held:
        undone(place)


@pytest.fixture(scope="module")
def unchanged(inventory: Path, live: dict[Place, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the argument that names a plan by which nothing is changed, made from the lab at the end of the journey."""
    for place in live:
        undone(place)
    argument = f"golive_plan={tmp_path_factory.mktemp('plans') / 'plan.json'}"
    run = journey(inventory, "--check", "-e", argument)
    assert run.code == 0, run.output[-4000:]
    assert run.changes() == set()
    return argument


@pytest.fixture
def planned(unchanged: str, live: dict[Place, str]) -> Iterator[str]:
    """The same, before a test that changes something behind the plan's back."""
    yield unchanged
    for place in live:
        undone(place)


def test_a_plan_holds_what_was_changed_by_hand_and_its_run_does_that_and_no_other(
        inventory: Path, live: dict[Place, str], tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    for place in live:
        by_hand(place)
    check = journey(inventory, "--check", "-e", f"golive_plan={file}")
    assert check.code == 0, check.output[-4000:]
    plan = json.loads(file.read_text())
    assert {(one["host"], one["object"], one["op"]) for one in plan["changes"]} == {update(EARLY), update(LATE)}
    assert {place: content(place) for place in live} == {place: f"{held}# by hand\n" for place, held in live.items()}
    real = journey(inventory, "-e", f"golive_plan={file}")
    assert real.code == 0, real.output[-4000:]
    assert "saved plan: 2 of 2 changes were made by this run, and no other" in real.words
    assert real.changes() == {update(EARLY), update(LATE)}
    assert real.read("run.json")["saved_plan"] == plan["digest"]
    assert {place: content(place) for place in live} == live


def test_what_moved_on_at_a_host_is_named_and_left_as_it_is(inventory: Path, live: dict[Place, str], planned: str) -> None:
    by_hand(LATE)
    before = real_runs()
    run = journey(inventory, "-e", planned)
    assert run.code == 2, run.output[-4000:]
    assert "reality has moved on since the plan was made, nothing was changed" in run.words
    assert f"update file:{LATE[1]} on {LATE[0]} (" in run.words
    assert "is not in the plan" in run.words
    assert real_runs() == before  # the dry run that compares, never a real one
    assert content(LATE) == f"{live[LATE]}# by hand\n"


def test_what_moves_on_while_the_run_is_under_way_is_refused_at_its_task(inventory: Path, live: dict[Place, str], planned: str) -> None:
    before, process = real_runs(), begun(inventory, "-e", planned)
    try:
        end = time.monotonic() + 600
        while not real_runs() - before and process.poll() is None and time.monotonic() < end:
            time.sleep(0.2)
        by_hand(LATE)  # the comparison is over, its task has not come yet
        output = process.communicate()[0]
    finally:
        process.kill()
    run = Ended(process.returncode, output)
    assert run.code == 2, run.output[-4000:]
    assert "the plan does not hold what this task would change, so it changed nothing" in run.words
    assert f"update file:{LATE[1]} on {LATE[0]} (" in run.words
    assert run.changes() == set()
    assert content(LATE) == f"{live[LATE]}# by hand\n"


def test_what_moved_on_in_inventory_or_code_is_named_before_anything_begins(inventory: Path, planned: str) -> None:
    stage, new, before = inventory.parent / "group_vars/all/ramp.yml", ROOT / "roles/logging/tasks/new_in_this_checkout.yml", runs()
    held = stage.read_text()
    try:
        stage.write_text(held + "# thought about again\n")
        new.write_text("---\n# nothing yet\n")
        run = journey(inventory, "-e", planned)
    finally:
        stage.write_text(held)
        new.unlink(missing_ok=True)
    assert run.code == 2
    assert "what the plan rests on has moved on, nothing was changed" in run.words
    assert "kraken-micro/group_vars/all/ramp.yml was changed" in run.words
    assert "roles/logging/tasks/new_in_this_checkout.yml is new" in run.words
    assert runs() == before
