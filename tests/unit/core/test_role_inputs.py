"""What hosts are built with is held against what the roles take, before any host is touched."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive import role_inputs
from golive.errors import GoliveError
from golive.role_inputs import Left, check, hosts_of, wrong_of

SECRET = "hunter2-hunter2"
GROUPS = {"all": ["controller", "bot", "venue"], "targets": ["bot", "venue"], "bots": ["bot"], "rehearsal": ["controller", "bot"]}
OPTIONS = {
    "demo_port": {"type": "int", "required": True, "description": "Port."},
    "demo_mode": {"type": "str", "default": "learn", "choices": ["learn", "enforce"], "description": "Mode."},
    "demo_token": {"type": "str", "default": "", "no_log": True, "description": "Reference."},
    "demo_rules": {"type": "list", "elements": "dict", "default": [], "description": "Rules.", "options": {
        "name": {"type": "str", "required": True, "description": "Name."},
        "ports": {"type": "list", "elements": "int", "description": "Ports."}}},
    "demo_from_profile": {"type": "float", "default": "{{ number }}", "description": "Number."},
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "golive.yml": [{"name": "Build", "ansible.builtin.import_playbook": "playbooks/build/hosts.yml"}],
        "playbooks/build/hosts.yml": [{"hosts": "targets:&rehearsal", "roles": [{"role": "demo", "vars": {"demo_port": 22}}]}],
        "roles/demo/meta/argument_specs.yml": {"argument_specs": {"main": {"options": OPTIONS}}},
        "roles/demo/defaults/main.yml": {name: option["default"] for name, option in OPTIONS.items() if "default" in option}}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(yaml.safe_dump(data))
    return tmp_path


def resolver(variables: Mapping[str, Any]) -> Any:
    def resolve(value: Any) -> Any:
        name = str(value).strip("{} ")
        if name == "looked_up":
            raise Left
        if name not in variables:
            raise GoliveError(f"'{name}' is undefined")
        return variables[name]
    return resolve


def look(project: Path, **variables: Any) -> int:
    return check(project / "golive.yml", project / "roles", GROUPS, lambda path: yaml.safe_load(Path(path).read_text()),
                 lambda _host: {"number": 1.5, **variables}, resolver, lambda value: "group_vars/x.yml:3" if value == "soon" else None)


def test_what_fits_is_looked_at_on_the_hosts_of_the_play_only(project: Path) -> None:
    assert look(project) == len(OPTIONS)  # bot alone is in both groups


@pytest.mark.parametrize(("given", "words"), [
    ({"number": "soon"}, "group_vars/x.yml:3: demo_from_profile has the wrong type, found 'soon', expected a number"),
    ({"demo_mode": "enforced"}, "role demo on bot: demo_mode is not one of those there are, found 'enforced', expected learn, enforce"),
    ({"demo_rules": {"name": "ssh"}}, "demo_rules has the wrong type, found a mapping, expected a list"),
    ({"demo_rules": [{"ports": [22]}]}, "demo_rules[0] lacks name, expected text"),
    ({"demo_rules": [{"name": "a", "port": 22}]}, "[0] has an entry that the role does not know, found port, expected name, ports"),
    ({"demo_rules": [{"name": "a", "ports": ["ssh"]}]}, "demo_rules[0].ports[0] has the wrong type, found 'ssh', expected a whole number"),
    ({"demo_from_profile": "{{ nowhere }}"}, "demo_from_profile cannot be computed, found 'nowhere' is undefined"),
    ({"demo_token": [SECRET]}, "demo_token has the wrong type, found a list, expected text"),
])
def test_what_does_not_fit_is_one_sentence(project: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(GoliveError) as caught:
        look(project, **given)
    told = str(caught.value)
    assert words in told
    assert told.endswith("correct it for bot; what it means: docs/reference/roles.md, demo")
    assert (SECRET in told, "\n" in told) == (False, False)


def test_a_required_input_that_nobody_gives_is_named(project: Path) -> None:
    (project / "playbooks/build/hosts.yml").write_text(yaml.safe_dump([{"hosts": "bots", "roles": ["demo"]}]))
    with pytest.raises(GoliveError, match="demo_port is not set, expected a whole number"):
        look(project)


@pytest.mark.parametrize("value", ["{{ lookup('release', 'bot') }}", "{{ looked_up }}"])
def test_what_a_lookup_gives_is_left_to_the_role(project: Path, value: str) -> None:
    assert look(project, demo_mode=value) == len(OPTIONS)


@pytest.mark.parametrize(("pattern", "hosts"), [
    ("bots", ["bot"]), ("targets:controller", ["bot", "venue", "controller"]), ("targets:&rehearsal", ["bot"]),
    ("targets:!bots", ["venue"]), ("nobody", [])])
def test_patterns_of_plays(pattern: str, hosts: list[str]) -> None:
    assert hosts_of(pattern, GROUPS) == hosts


@pytest.mark.parametrize(("kind", "good", "bad"), [
    ("int", [1, "22", " 3 ", 2.0], [True, "1.5", "x", [1], {}]), ("float", [1, "1e3", 0.5], [False, "soon", []]),
    ("bool", [True, "yes", 0, "Off"], ["perhaps", 2, []]), ("str", ["x", 1, True], [[], {}]), ("dict", [{}], ["x", []]),
    ("list", [[], "one", 3], [{}]), ("path", ["/x"], [["/x"]])])
def test_types_are_taken_as_ansible_takes_them(kind: str, good: list[Any], bad: list[Any]) -> None:
    assert [value for value in good if wrong_of("x", {"type": kind}, value)] == []
    assert [value for value in bad if not wrong_of("x", {"type": kind}, value)] == []


def test_a_secret_of_the_wrong_kind_is_never_shown() -> None:
    wrong = wrong_of("x", {"type": "int", "no_log": True}, SECRET)
    assert wrong is not None
    assert SECRET not in str(role_inputs.sentence("demo", "bot", wrong, None))
