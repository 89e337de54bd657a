"""A mistyped, empty or half-written inventory ends in one sentence before a run is opened."""
from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.inventory_file import check, compile_without_hosts, is_ours, wanted_groups

from .conftest import OPEN, Mini, says

ROOT = Path(__file__).resolve().parents[3]
LAB = (ROOT / "inventories/kraken-micro/lab.yml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with one good inventory."""
    for name in ("inventories/one/group_vars/all", "playbooks"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "playbooks/bots.yml").write_text("- hosts: bots:&rehearsal  # both\n- hosts: controller\n- hosts: \"{{ any }}\"\n")
    (tmp_path / "inventories/one/lab.yml").write_text(LAB)
    return tmp_path


def sentence(folder: Path, name: str = "lab.yml", system: str = "one") -> str:
    with pytest.raises(GoliveError) as caught:
        check(folder / "inventories" / system / name, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewrite(change: Callable[[str], str]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "inventories/one/lab.yml"
        path.write_text(change(path.read_text()))
    return apply


def test_the_committed_inventories_are_good() -> None:
    assert check(ROOT / "inventories/kraken-micro/lab.yml", ROOT) is True
    assert check(ROOT / "inventories/kraken-micro/production.yml", ROOT) is False


def test_the_groups_are_those_that_the_plays_name(folder: Path) -> None:
    assert wanted_groups(folder) == {"bots", "rehearsal"}
    assert {"bots", "targets", "guards", "kill_machines"} <= wanted_groups(ROOT)


def test_a_play_may_name_a_host(folder: Path) -> None:
    (folder / "playbooks/one_host.yml").write_text("- hosts: bot\n")
    assert check(folder / "inventories/one/lab.yml", folder) is True


@pytest.mark.parametrize(("name", "system", "words"), [
    ("labb.yml", "one", "there is no such inventory file, expected inventories/one/lab.yml"),
    ("lab.yml", "onne", "there is no such inventory file, expected inventories/one/lab.yml"),
    ("", "one", "the inventory is a folder, expected one file in it"),
])
def test_a_mistyped_path_names_the_nearest_one(folder: Path, name: str, system: str, words: str) -> None:
    assert words in sentence(folder, name, system)


@pytest.mark.parametrize(("change", "words"), [
    (lambda _text: "", "the inventory is empty"),
    (lambda _text: "# only a comment\n", "the inventory is empty"),
    (lambda _text: "[bots]\nbot\n", "is not YAML"),
    (lambda text: text[: len(text) // 2] + "\n  bad: [1\n", "is not YAML"),
    (lambda text: text.replace("all:", "al:"), "the inventory has no group 'all'"),
    (lambda text: text.replace("bots:", "bot_s:"), "the inventory has no group bots, found bot_s (mistyped?)"),
    (lambda text: text.replace("    rehearsal:", "    reharsal:"), "the inventory has no group rehearsal, found reharsal (mistyped?)"),
    (lambda text: text.replace("        controller:", "        controler:"), "the inventory has no host controller, found controler"),
    (lambda text: text.replace("bot:", "\x00"), "cannot be read as YAML"),
])
def test_a_file_that_no_run_can_start_from_is_one_sentence(folder: Path, change: Callable[[str], str], words: str) -> None:
    rewrite(change)(folder)
    assert words in sentence(folder)


def test_a_half_written_file_of_variables_is_named_with_its_line(folder: Path) -> None:
    (folder / "inventories/one/group_vars/all/bot.yml").write_text("bot_user: bot\nbot_pairs: [SHIB/USDT\n")
    assert "group_vars/all/bot.yml:3: is not YAML" in sentence(folder)


def test_encrypted_values_are_not_looked_into(folder: Path) -> None:
    (folder / "inventories/one/group_vars/all/vaulted.yml").write_text("token: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n")
    assert check(folder / "inventories/one/lab.yml", folder) is True


def test_only_files_of_our_systems_are_looked_at(folder: Path) -> None:
    assert is_ours(folder / "inventories/one/none.yml", folder)
    assert not is_ours(folder / "molecule/lab/inventory/lab.yml", folder)
    assert not is_ours(folder / "inventories/one/group_vars/all/x.yml", folder)


def test_production_without_hosts_compiles_and_says_what_is_left_to_do() -> None:
    with pytest.raises(GoliveError, match="no host in group production; fill in your hosts"):
        compile_without_hosts(ROOT / "inventories/kraken-micro/production.yml", ROOT)


def run(mini: Mini, name: str, playbook: str) -> subprocess.CompletedProcess[str]:
    command = [*mini.command(playbook=playbook)[:2], "-i", name]
    return subprocess.run(command, cwd=mini.path, env=mini.environment(), text=True, capture_output=True, check=False, timeout=600)


@pytest.mark.timeout(1200)
def test_ansible_itself_ends_so_and_nothing_is_opened(mini: Mini) -> None:
    mini.write()
    (mini.path / "inventories/slice/production.yml").write_text((ROOT / "inventories/kraken-micro/production.yml").read_text())
    says(run(mini, "inventories/slyce/lab.yml", OPEN), "there is no such inventory file")
    says(run(mini, "inventories/slice/production.yml", "golive.yml"), "no host in group production; fill in your hosts")
    assert not (mini.path / "reports").exists()
