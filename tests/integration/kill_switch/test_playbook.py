"""The playbook around the switch, against the rehearsal exchange: what it shows a person, and how it ends."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, shared  # noqa: F401 (fixture)
from tests.integration.kill_switch.scene import FILE, Scene

ROOT = FILE.parents[3]


@pytest.fixture
def scene(shared: Sandbox, tmp_path: Path) -> Scene:  # noqa: F811
    program = tmp_path / "kill_switch.py"
    program.write_text(f"#!{sys.executable} -ISE\n" + FILE.read_text().partition("\n")[2])
    program.chmod(0o755)
    return Scene(shared, tmp_path, "book-" + tmp_path.name)


def pull(scene: Scene, *options: str, machine: bool = True) -> subprocess.CompletedProcess[str]:
    """Run it on this machine as the only kill machine, from no directory of the project and without its configuration's callback."""
    scene.command()
    inventory = scene.folder / "inventory.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory.write_text(json.dumps({"all": {"children": {"kill_machines": {"hosts": {"killer": host} if machine else {}}}}}))
    chosen = " ".join(["--settings", str(scene.folder / "settings.json"), *options])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(ROOT / "playbooks/operate/kill_switch.yml"), "-i", str(inventory),
         "-e", f"kill_switch_program={scene.folder / 'kill_switch.py'}", "-e", f'{{"kill_switch_options": "{chosen}"}}'],
        cwd=scene.folder, env={**kept, "ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False, timeout=120)


def test_it_ends_with_state_seconds_and_cost(scene: Scene) -> None:
    scene.flatten()
    scene.position(stop=True)
    scene.entries(2)
    done = pull(scene)
    assert done.returncode == 0, done.stdout + done.stderr
    said = " ".join(line.strip() for line in done.stdout.splitlines())
    assert '"msg": "flat after ' in said
    for word in ("first_cancel ", "no_entries ", "fenced ", "first_close ", "final ", " fees and ", " slippage USDT"):
        assert word in said.partition('"msg": "flat after ')[2]
    assert scene.open_orders() == {}


def test_a_naked_position_is_the_last_word_and_red(scene: Scene) -> None:
    scene.position(stop=False)
    done = pull(scene)
    assert done.returncode != 0
    assert "NAKED: no stop covers 600000" in done.stdout.partition("A position is NAKED")[2]


def test_a_dry_run_lists_in_order_and_changes_nothing(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries(1)
    done = pull(scene, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "changed=0" in done.stdout
    assert "would cancel" in done.stdout
    assert len(scene.open_orders()) == 2


def test_an_inventory_without_a_kill_machine_is_red_and_says_what_to_do(scene: Scene) -> None:
    scene.entries(1)
    done = pull(scene, machine=False)
    assert done.returncode != 0, "nothing was pulled, and nobody was told"
    assert "delete the bot's API key" in done.stdout
    assert len(scene.open_orders()) == 1
