"""A saved plan: what it rests on is compared file by file, what it predicts change by change, and nobody edits it."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from golive import saved_plan, session
from golive.errors import GoliveError
from golive.rundir import RunDir, append_line

WRITE = {"host": "bot", "object": "file:/etc/x", "op": "create", "before": None, "after": "0644 root:root sha256:aa", "task": "Files"}
START = {"host": "bot", "object": "unit:x.service", "op": "start", "before": "stopped", "after": "started"}


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(session, "CODE", ("golive.yml", "module_utils/golive/saved_plan.py", "roles/base/tasks"))
    for name, text in (("lab.yml", "all: {}\n"), ("group_vars/all/x.yml", "x: 1\n"), ("lab/key", "made by the lab\n")):
        path = tmp_path / "slice" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "slice/lab.yml"


def plan_of(inventory: Path, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return saved_plan.build(system="slice", run="r", playbook="golive.yml", inventory=inventory, extra=more, changes=changes)


def moved(plan: dict[str, Any], inventory: Path, playbook: str = "golive.yml", **extra: Any) -> list[str]:
    return saved_plan.moved_on(plan, playbook=playbook, inventory=inventory, extra=extra)


def test_nothing_has_moved_on_directly_after(inventory: Path) -> None:
    assert moved(plan_of(inventory), inventory) == []


def test_a_changed_a_new_and_a_lost_file_are_named(inventory: Path) -> None:
    plan = plan_of(inventory)
    (inventory.parent / "group_vars/all/x.yml").write_text("x: 2\n")
    (inventory.parent / "group_vars/all/y.yml").write_text("y: 1\n")
    inventory.rename(inventory.with_name("other.yml"))
    words = moved(plan, inventory.with_name("other.yml"))
    assert [one.rsplit("/", 1)[-1] for one in words[1:]] == ["x.yml was changed", "y.yml is new", "other.yml is new", "lab.yml is gone"]
    assert words[0].startswith("inventory")


def test_what_the_lab_makes_for_itself_is_not_code(inventory: Path) -> None:
    plan = plan_of(inventory)
    (inventory.parent / "lab/key").write_text("made anew\n")
    assert moved(plan, inventory) == []


@pytest.mark.parametrize("place", ["all", "lab", "shared"])
def test_no_file_of_variables_is_overlooked_wherever_the_checkout_lies(tmp_path: Path, inventory: Path, place: str) -> None:
    # In a folder named lab, of a group named lab, and in a folder that is linked from elsewhere.
    moved_to = tmp_path / "lab/checkout"
    moved_to.parent.mkdir()
    inventory.parent.rename(moved_to)
    variables = moved_to / "group_vars" / place
    if place == "shared":
        (tmp_path / "elsewhere").mkdir()
        variables.symlink_to(tmp_path / "elsewhere")
    variables.mkdir(exist_ok=True)
    (variables / "x.yml").write_text("x: 1\n")
    plan = plan_of(moved_to / "lab.yml")
    (variables / "x.yml").write_text("x: 2\n")
    assert [one.rsplit("/", 2)[-2:] for one in moved(plan, moved_to / "lab.yml")] == [[place, "x.yml was changed"]]


def test_variables_beside_golives_playbook_are_read_and_so_are_part_of_it(tmp_path: Path, inventory: Path,
                                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ROOT", tmp_path)
    plan = plan_of(inventory)
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("x: 1\n")
    assert moved(plan, inventory) == ["group_vars/all.yml is new"]


def test_another_playbook_and_other_extra_variables_are_named_without_their_values(inventory: Path) -> None:
    words = moved(plan_of(inventory, limit="old-value"), inventory, playbook="playbooks/open.yml", limit="new-value")
    assert len(words) == 2
    assert "playbooks/open.yml" in words[0]
    assert "limit" in words[1]
    assert "value" not in words[1]
    assert "old-value" not in json.dumps(plan_of(inventory, limit="old-value"))


def test_the_plan_itself_is_no_variable_that_could_differ(inventory: Path) -> None:
    assert moved(plan_of(inventory, golive_plan="a.json"), inventory, golive_plan="/elsewhere/b.json") == []


def test_golives_own_code_is_part_of_it(inventory: Path) -> None:
    assert {"golive.yml", "module_utils/golive/saved_plan.py", "roles/base/tasks/main.yml"} <= set(plan_of(inventory)["files"])


@pytest.mark.parametrize(("now", "words"), [
    ([WRITE, START], []),
    ([START, WRITE], []),
    ([WRITE], ["start unit:x.service on bot (stopped -> started) is planned and no longer needed"]),
    ([WRITE, START, {**START, "host": "guard"}], ["start unit:x.service on guard (stopped -> started) is not in the plan"]),
    ([WRITE, {**START, "op": "restart"}], ["restart unit:x.service on bot (stopped -> started) is not in the plan",
                                           "start unit:x.service on bot (stopped -> started) is planned and no longer needed"]),
    ([{**WRITE, "after": "0600 root:root sha256:aa"}, START],
     ["create file:/etc/x on bot (nothing -> 0600 root:root sha256:aa), the plan says nothing -> 0644 root:root sha256:aa"]),
])
def test_each_difference_is_told_in_words(inventory: Path, now: list[dict[str, Any]], words: list[str]) -> None:
    assert saved_plan.differences(plan_of(inventory, WRITE, START), now) == words


def test_a_run_that_was_broken_off_goes_on_with_its_plan(inventory: Path, tmp_path: Path) -> None:
    plan, reports = plan_of(inventory, WRITE, START), tmp_path / "reports"
    run = RunDir.create(reports)
    run.write(saved_plan.COPY, plan)
    append_line(run.path / "changes.jsonl", {**WRITE, "check": False})
    other = RunDir.create(reports)
    other.write(saved_plan.COPY, {**plan, "digest": "sha256:other"})
    append_line(other.path / "changes.jsonl", {**START, "check": False})
    done = saved_plan.done_with(plan, reports)
    assert saved_plan.differences(plan, [START], done) == []
    assert saved_plan.differences(plan, [], done) == ["start unit:x.service on bot (stopped -> started) is planned and no longer needed"]


def test_what_is_not_planned_for_a_host_is_told(inventory: Path) -> None:
    plan = plan_of(inventory, WRITE)
    assert saved_plan.unplanned(plan, "bot", [WRITE]) == []
    assert saved_plan.unplanned(plan, "guard", [WRITE]) == ["create file:/etc/x on guard (nothing -> 0644 root:root sha256:aa)"]


def test_a_plan_is_for_its_owner_only_and_comes_back_as_it_was(inventory: Path, tmp_path: Path) -> None:
    plan = plan_of(inventory, WRITE)
    saved_plan.write(tmp_path / "p.json", plan)
    assert saved_plan.load(tmp_path / "p.json") == plan
    assert (tmp_path / "p.json").stat().st_mode & 0o777 == 0o600


def test_an_edited_plan_is_refused(inventory: Path, tmp_path: Path) -> None:
    saved_plan.write(tmp_path / "p.json", {**plan_of(inventory, WRITE), "changes": []})
    with pytest.raises(GoliveError, match="was changed after it was written"):
        saved_plan.load(tmp_path / "p.json")


@pytest.mark.parametrize(("text", "words"), [("{", "found no JSON"), ("[]", "is no saved plan"), ('{"format": 2}', "is no saved plan")])
def test_what_is_no_plan_is_refused_and_never_overwritten(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "notes.json"
    path.write_text(text)
    for act in (saved_plan.load, saved_plan.may_write):
        with pytest.raises(GoliveError, match=words):
            act(path)
    assert path.read_text() == text


def test_a_link_a_missing_file_and_a_missing_folder_are_named(tmp_path: Path) -> None:
    os.symlink("/dev/null", tmp_path / "link")
    for act, path, words in ((saved_plan.load, "link", "no regular file"), (saved_plan.load, "none", "there is no such plan"),
                             (saved_plan.may_write, "none/p.json", "the folder of the plan is not there")):
        with pytest.raises(GoliveError, match=words):
            act(tmp_path / path)


def test_many_reasons_are_counted_and_the_first_are_told() -> None:
    told = str(saved_plan.refuse("moved", [f"file {number}" for number in range(40)], "p.json"))
    assert "file 0" in told
    assert "and 28 more" in told
