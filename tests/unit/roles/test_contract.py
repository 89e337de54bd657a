"""What holds for every role: inputs described once, few tasks, a true dry run, a README."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/tasks/main.yml"))
NAMES = [role.name for role in ROLES]
MOST_TASKS = 8
BLOCKS = ("block", "rescue", "always")
COMMANDS = {"command", "shell", "raw", "script", "expect"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) if path.exists() else None


def short(task: dict[str, Any]) -> set[str]:
    """Return the names of the module (and keywords) of a task without their collection."""
    return {key.rsplit(".", 1)[-1] for key in task}


def tasks(role: Path, name: str = "main.yml") -> Iterator[dict[str, Any]]:
    """Yield the tasks that an entry point runs, static imports followed."""
    yield from _flat(role, read(role / "tasks" / name) or [])


def _flat(role: Path, entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        imported = next((entry[key] for key in entry if key.rsplit(".", 1)[-1] in ("import_tasks", "include_tasks")), None)
        if isinstance(imported, str) and "{" not in imported:
            yield from tasks(role, imported)
        elif any(key in entry for key in BLOCKS):
            for key in BLOCKS:
                yield from _flat(role, entry.get(key) or [])
        else:
            yield entry


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_defaults_are_those_of_the_argument_specs(role: Path) -> None:
    options = read(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    described = {name: option["default"] for name, option in options.items() if "default" in option}
    assert described == (read(role / "defaults/main.yml") or {})


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_inputs_begin_with_the_roles_name_and_say_what_they_are(role: Path) -> None:
    options = read(role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    assert [name for name in options if not name.startswith(role.name + "_")] == []
    assert [name for name, option in options.items() if not option.get("type") or not option.get("description")] == []


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_the_unchanged_path_has_few_tasks(role: Path) -> None:
    assert len(list(tasks(role))) <= MOST_TASKS


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_no_task_hides_from_the_dry_run(role: Path) -> None:
    texts = {str(path.relative_to(role)): path.read_text() for path in [*role.glob("tasks/*.yml"), *role.glob("handlers/*.yml")]}
    assert [name for name, text in texts.items() if "ansible_check_mode" in text] == []


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_commands_only_read_and_say_so(role: Path) -> None:
    for name in (path.name for path in role.glob("tasks/*.yml")):
        for task in _flat(role, read(role / "tasks" / name) or []):
            if short(task) & COMMANDS:
                assert (task.get("changed_when"), task.get("check_mode")) == (False, False), f"{name}: {task.get('name')}"
                assert "register" in task, f"{name}: {task.get('name')}"


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_only_reading_commands_run_in_spite_of_check_mode(role: Path) -> None:
    for path in role.glob("tasks/*.yml"):
        for task in _flat(role, read(path) or []):
            if task.get("check_mode") is False:
                asks = task.get("ansible.builtin.uri", {"method": "none"}).get("method", "GET") == "GET"
                assert asks or short(task) & COMMANDS, f"{path.name}: {task.get('name')}"


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_every_task_has_a_name_and_the_role_a_readme(role: Path) -> None:
    assert [task for task in tasks(role) if not task.get("name")] == []
    assert len((role / "README.md").read_text()) > 200


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_no_stock_module_writes_a_template_or_a_copy(role: Path) -> None:
    """They write to temporary files on both sides and predict no owner that is yet to come (M8, M21)."""
    for path in [*role.glob("tasks/*.yml"), *role.glob("handlers/*.yml")]:
        for task in _flat(role, read(path) or []):
            assert not short(task) & {
                "copy",
                "template",
                "lineinfile",
                "blockinfile",
                "apt",
                "user",
                "group",
                "systemd_service",
                "systemd",
            }, f"{path.name}: {task.get('name')}"


@pytest.mark.parametrize("role", ROLES, ids=NAMES)
def test_the_templates_that_are_named_exist(role: Path) -> None:
    named = {match for path in role.glob("tasks/*.yml") for match in re.findall(r"template: ([\w./-]+\.j2)", path.read_text())}
    assert {name for name in named if not (role / "templates" / name).exists()} == set()
    assert {path.name for path in (role / "templates").glob("*.j2")} - named == set(), "a template that nobody writes"


def test_there_are_roles() -> None:
    assert {"base", "ssh", "firewall", "logging"} <= set(NAMES)
