"""What a lab is, read from its inventory; and what a wrong inventory is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from golive.lab.errors import LabError
from golive.lab.inventory import read_lab
from golive.lab.run import REPOSITORY

GOOD = """\
all:
  children:
    rehearsal:
      hosts:
        controller: {ansible_connection: local}
        bot: {ansible_host: 10.9.8.11}
        venue: {ansible_host: 10.9.8.12}
      vars: {lab_network: 10.9.8.0/24, lab_name: small}
    production: {}
    bots: {hosts: {bot: {}}}
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "lab.yml"
    path.write_text(text)
    return path


def test_hosts_of_the_rehearsal_group_that_are_not_local(tmp_path: Path) -> None:
    lab = read_lab(_write(tmp_path, GOOD))
    assert [(host.name, host.address) for host in lab.hosts] == [("bot", "10.9.8.11"), ("venue", "10.9.8.12")]
    assert (lab.name, str(lab.network), lab.container_name(lab.hosts[0])) == ("small", "10.9.8.0/24", "golive-small-bot")
    assert lab.traces is False
    assert read_lab(_write(tmp_path, GOOD.replace("lab_name: small", "lab_name: small, lab_traces: true"))).traces is True


@pytest.mark.parametrize("system", sorted(path.parent.name for path in REPOSITORY.glob("inventories/*/lab.yml")))
def test_committed_inventory_is_a_lab(system: str) -> None:
    lab = read_lab(REPOSITORY / "inventories" / system / "lab.yml")
    assert lab.name == system
    assert {"bot", "venue", "outside", "vault", "guard"} <= {host.name for host in lab.hosts}


def test_no_group_has_both_a_file_and_a_folder_of_variables() -> None:
    """Ansible reads the folder then, and passes over the file without a word."""
    for folder in REPOSITORY.glob("inventories/*/group_vars/*/"):
        assert not [path for path in folder.parent.glob(f"{folder.name}.*") if path.is_file()]


@pytest.mark.parametrize(("wrong", "right", "told"), [
    ("10.9.8.11}", "10.9.7.11}", r"ansible_host of bot cannot be used.*10\.9\.7\.11.*10\.9\.8\.0/24"),
    ("10.9.8.11}", "10.9.8.1}", "ansible_host of bot cannot be used"),
    ("10.9.8.11}", "10.9.8.12}", "two lab hosts have one address.*bot, venue"),
    ("{ansible_host: 10.9.8.11}", "{}", "ansible_host of bot is not an address"),
    ("10.9.8.0/24", "10.9.8.1/24", "lab_network is not a network.*10.9.8.1/24"),
    ("lab_network: 10.9.8.0/24, ", "", "lab_network must be set once"),
    ("lab_name: small", "lab_name: 'rm -rf'", "lab_name cannot name a container"),
    ("rehearsal:", "rehearsals:", "no lab host.*group rehearsal is empty or absent"),
    ("all:", "all: [", "is not YAML"),
])
def test_wrong_inventory_gets_one_sentence_that_names_the_file(tmp_path: Path, wrong: str, right: str, told: str) -> None:
    path = _write(tmp_path, GOOD.replace(wrong, right, 1))
    with pytest.raises(LabError, match=told) as caught:
        read_lab(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_inventory_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=re.escape(str(tmp_path / "typo.yml"))):
        read_lab(tmp_path / "typo.yml")


def test_unknown_host_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="found bots, expected bot or venue"):
        read_lab(_write(tmp_path, GOOD)).host("bots")


def test_lab_of_role_scenarios_has_the_groups_and_settings_of_a_real_one() -> None:
    """Else a role that passes its scenario meets an unknown group, or another way in, on the journey."""
    scenarios, real = REPOSITORY / "molecule/lab/inventory", REPOSITORY / "inventories/kraken-micro"
    groups = [set(yaml.safe_load((folder / "lab.yml").read_text())["all"]["children"]) for folder in (scenarios, real)]
    assert groups[0] == groups[1]
    assert read_lab(scenarios / "lab.yml").network != read_lab(real / "lab.yml").network
    for name in ("rehearsal/lab.yml", "targets/become.yml"):
        assert (scenarios / "group_vars" / name).resolve() == real / "group_vars" / name
