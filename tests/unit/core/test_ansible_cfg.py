"""The lines of ansible.cfg that the design depends on. Losing one does not fail a run, it makes it say less than the truth."""
from __future__ import annotations

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("section", "name", "value", "why"), [
    ("defaults", "inject_facts_as_vars", "False", "a target could rewrite the profile (M15)"),
    ("defaults", "gathering", "explicit", "nothing is asked that nobody needs"),
    ("defaults", "interpreter_python", "/usr/bin/python3", "discovery would run on each host"),
    ("defaults", "callbacks_enabled", "golive", "the run lock and the change recorder (M6, M7)"),
    ("defaults", "inventory", "inventories/kraken-micro/lab.yml", "the default is the lab, never production"),
    ("defaults", "action_plugins", "plugins/action", "a lost ansible.cfg must not even parse (M20)"),
    ("defaults", "timeout", "60", "a slow host is not an unreachable one"),
    ("defaults", "host_key_checking", "True", "host keys are pinned"),
    ("inventory", "unparsed_is_failed", "True", "a typo in the inventory would read as clean (M4)"),
    ("inventory", "any_unparsed_is_failed", "True", "likewise"),
    ("inventory", "host_pattern_mismatch", "error", "an empty group would skip a play in silence (M4)"),
    ("inventory", "enable_plugins", "golive, yaml", "a mistyped inventory would end in Ansible's own words, or in none"),
    ("connection", "pipelining", "True", "secrets travel over stdin, not through files (M21)"),
])
def test_ansible_cfg_says(section: str, name: str, value: str, why: str) -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "ansible.cfg")
    assert config.get(section, name) == value, why


def test_no_variable_folder_hides_a_file_of_the_same_name() -> None:
    for folder in ROOT.glob("inventories/*/group_vars/*"):
        assert folder.is_dir(), f"{folder.name}: Ansible would silently ignore it beside a folder of that name"
