"""Role bot on a real host: the dry run is true, the release before stays at hand, what stops the bot is not in its hands."""
from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.canonical import file_digest
from golive.release_build import build, write_archive

from ..sets.conftest import Lab, Objects, wait_for

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[3]
INVENTORY = """\
all:
  children:
    rehearsal:
      hosts:
        subject: {ansible_host: 172.30.94.21}
      vars: {lab_network: 172.30.94.0/24, lab_name: bottest}
    targets: {hosts: {subject: {}}}
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("bot")
    (place / "lab.yml").write_text(INVENTORY)
    (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    lab = Lab(place / "lab.yml", place)
    done = lab.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield lab
    lab.tool("down")


def play(archive: Path, **changes: Any) -> dict[str, Any]:
    variables = yaml.safe_load((ROOT / "molecule/bot/vars/main.yml").read_text())
    del variables["__built"]
    release = {"bot_release_archive": str(archive), "bot_release_sha256": file_digest(str(archive))[7:]}
    return {"roles": ["bot"], "vars": {**variables, **release, **changes}}


def another(archive: Path, folder: Path) -> Path:
    """Return a release that differs from the given one by one file."""
    with tarfile.open(archive) as old:
        old.extractall(folder / "tree", filter="data")
    (folder / "tree/app/CHANGES").write_text("one more file\n")
    files = [path for path in (folder / "tree").rglob("*") if path.is_file()]
    # The manifest is what tells a running process that it is another release.
    manifest = json.loads((folder / "tree/release.json").read_text())
    (folder / "tree/release.json").write_text(json.dumps({**manifest, "source": "sha256:" + "0" * 64}))
    with (folder / "new.tar.gz").open("wb") as out:
        write_archive(out, {str(path.relative_to(folder / "tree")): path for path in files})
    return folder / "new.tar.gz"


def test_a_bare_host_is_predicted_built_and_then_left_alone(host: Lab) -> None:
    objects: Objects = host.four_runs(play(build("bot").path))
    assert ("unit:bot-shadow.service", "start") in objects
    assert not [name for name, op in objects if name == "unit:bot-live.service" and op in ("start", "enable")]
    wait_for(lambda: host.inside("systemctl", "is-active", "bot-shadow.service").strip() == "active", "the dry run to be up")
    shown = host.inside("systemctl", "show", "--property=NoNewPrivileges,ProtectSystem,MemoryMax", "bot-shadow.service")
    assert set(shown.split()) == {"NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryMax=500000000"}


def test_the_live_unit_does_not_start_without_a_ticket(host: Lab) -> None:
    host.inside("systemctl", "start", "bot-live.service")
    state = host.inside("systemctl", "show", "--property=ActiveState,ConditionResult,MainPID", "bot-live.service")
    assert "ActiveState=inactive" in state
    assert "MainPID=0" in state


def test_the_release_before_stays_at_hand_and_comes_back(host: Lab, tmp_path: Path) -> None:
    old = build("bot").path
    new = another(old, tmp_path)
    names = [file_digest(str(path))[7:] for path in (old, new)]
    assert ("unit:bot-shadow.service", "restart") in host.run(play(new)).must().objects
    assert host.inside("readlink", "/opt/bot/current").strip() == f"releases/{names[1]}"
    assert host.inside("readlink", "/opt/bot/previous").strip() == f"releases/{names[0]}"
    host.run(play(old)).must()
    assert host.inside("readlink", "/opt/bot/current").strip() == f"releases/{names[0]}"
    assert host.inside("readlink", "/opt/bot/previous").strip() == f"releases/{names[1]}"


def test_a_kill_file_outlives_the_bot_and_is_not_in_its_hands(host: Lab) -> None:
    host.inside("touch", "/run/bot/shadow/kill")
    host.inside("systemctl", "restart", "bot-shadow.service")
    told = host.inside("sh", "-c", "runuser -u bot -- rm -f /run/bot/shadow/kill 2>&1 | grep -c denied; ls /run/bot/shadow")
    assert told.split() == ["1", "kill"]


def test_the_kill_switch_can_mask_the_live_unit_and_the_role_leaves_it_masked(host: Lab) -> None:
    host.inside("systemctl", "mask", "bot-live.service")
    host.run(play(build("bot").path)).must()
    assert host.inside("systemctl", "show", "--value", "--property=UnitFileState", "bot-live.service").strip() == "masked"
