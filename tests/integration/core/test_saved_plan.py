"""The saved plan in a miniature journey: written by a dry run, carried out as it is, refused when code or reality moved on."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Mini

MESSAGE = "golive_plan"


@pytest.fixture
def managed(mini: Mini, tmp_path: Path) -> Path:
    """Let the miniature build two files on alpha, the second by a task behind the first; they lie in the folder returned."""
    folder = tmp_path / "managed"
    folder.mkdir()
    files = [{"path": f"{folder}/{name}", "owner": "root", "group": "root", "mode": "0644", "content": "{{ wanted_text }}\n"}
             for name in ("one", "two")]
    play = {"name": "Build", "hosts": "alpha", "gather_facts": False,
            "tasks": [{"name": f"File {number}", "managed_files": {"files": [one]}} for number, one in enumerate(files)]}
    path = mini.path / "playbooks/provision.yml"
    path.write_text(yaml.safe_dump([play, *yaml.safe_load(path.read_text())]))
    mini.variables["wanted_text"] = "first"
    return folder


def plan(mini: Mini, *arguments: str, name: str = "plan.json") -> Any:
    return mini.run(*arguments, "-e", f"{MESSAGE}={mini.path.parent / name}")


def said(done: Any) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_plan_is_written_and_carried_out_and_then_spent(mini: Mini, managed: Path) -> None:
    done = plan(mini, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    saved = json.loads((mini.path.parent / "plan.json").read_text())
    assert [(one["host"], one["object"].rsplit("/", 1)[-1], one["op"]) for one in saved["changes"]] == [
        ("alpha", "one", "create"), ("alpha", "two", "create")]
    assert list(managed.iterdir()) == []
    done = plan(mini)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 changes were made by this run" in said(done)
    assert mini.latest("run.json")["saved_plan"] == saved["digest"]
    (managed / "one").unlink()
    (managed / "two").write_text("another hand\n")
    done = plan(mini)
    assert done.returncode == 2
    assert "update file:" in said(done)
    assert (managed / "two").read_text() == "another hand\n"


@pytest.mark.parametrize(("move", "words"), [
    (lambda mini, managed: (managed / "two").write_text("by hand\n"), "managed/two on alpha"),
    (lambda mini, managed: mini.variables.update(wanted_text="second"), "profile.yml was changed"),
])
def test_whatever_moved_on_is_named_and_nothing_is_changed(mini: Mini, managed: Path, move: Any, words: str) -> None:
    assert plan(mini, "--check").returncode == 0
    move(mini, managed)
    before, runs = {path.name: path.read_text() for path in managed.iterdir()}, len(mini.runs())
    done = plan(mini)
    assert done.returncode == 2
    assert words in said(done)
    assert "moved on" in said(done)
    assert {path.name: path.read_text() for path in managed.iterdir()} == before
    assert len(mini.runs()) <= runs + 1  # the dry run that compares, never a real one
    assert mini.latest("run.json")["mode"] == "check"


def test_what_moves_on_while_the_run_is_under_way_is_refused_at_its_task(mini: Mini, managed: Path) -> None:
    # Somebody writes the second file when the comparison is over: the run itself, between its two tasks.
    path = mini.path / "playbooks/provision.yml"
    plays = yaml.safe_load(path.read_text())
    plays[0]["tasks"].insert(1, {"name": "Another hand", "ansible.builtin.raw": f"echo other > {managed}/two", "changed_when": False})
    path.write_text(yaml.safe_dump(plays))
    assert plan(mini, "--check").returncode == 0
    done = plan(mini)
    assert done.returncode == 2
    assert "the plan does not hold what this task would change" in said(done)
    assert (managed / "one").exists()
    assert (managed / "two").read_text() == "other\n"


def test_a_dry_run_with_a_failed_task_leaves_no_plan(mini: Mini, managed: Path) -> None:
    (managed / "one").mkdir()
    done = plan(mini, "--check")
    assert done.returncode == 2
    assert "no plan was written" in said(done)
    assert not (mini.path.parent / "plan.json").exists()


def test_a_drift_run_takes_no_plan(mini: Mini) -> None:
    done = mini.run("--check", "-e", f"{MESSAGE}={mini.path.parent}/plan.json", playbook="playbooks/operate/drift.yml")
    assert done.returncode == 2
    assert "must not be given to a drift run" in said(done)


def test_a_file_that_is_no_plan_is_neither_followed_nor_overwritten(mini: Mini) -> None:
    (mini.path.parent / "plan.json").write_text("my notes\n")
    for arguments in ([], ["--check"]):
        done = plan(mini, *arguments)
        assert done.returncode == 2
        assert "is no saved plan" in said(done)
    assert (mini.path.parent / "plan.json").read_text() == "my notes\n"
    assert mini.runs() == []
