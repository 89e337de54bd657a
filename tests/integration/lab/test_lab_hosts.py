"""Lab hosts come, start again bare, lose their cable, and go without a trace."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golive.lab.container import LABEL_LAB
from golive.lab.engine import connect
from golive.lab.errors import LabError
from golive.lab.hosts import LabHosts
from golive.lab.inventory import Lab, read_lab
from golive.lab.run import REPOSITORY

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-pair")]  # one lab, one worker

INVENTORY = REPOSITORY / "tests" / "fixtures" / "lab" / "pair.yml"


def _left_behind(engine: Any, lab: Lab) -> list[str]:
    mine = {"label": f"{LABEL_LAB}={lab.name}"}
    things = [*engine.containers.list(all=True, filters=mine), *engine.networks.list(filters=mine), *engine.volumes.list(filters=mine)]
    return [thing.name for thing in things]


def _await(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def _ssh(lab: Lab, name: str, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ssh", "-F", "none", "-i", str(lab.key_file), "-o", f"UserKnownHostsFile={lab.known_hosts}",
         "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
         "-o", "ConnectTimeout=5", f"golive@{lab.host(name).address}", *command],
        check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def engine() -> Any:
    return connect()


@pytest.fixture(scope="module")
def lab(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab of the fixture, with its keys in a folder of the test; what a killed test run left is removed first."""
    folder = tmp_path_factory.mktemp("pair")
    shutil.copy(INVENTORY, folder / "lab.yml")
    lab = read_lab(folder / "lab.yml")
    _sweep(engine, lab)
    yield lab
    _sweep(engine, lab)


def _sweep(engine: Any, lab: Lab) -> None:
    mine = {"label": f"{LABEL_LAB}={lab.name}"}
    for container in engine.containers.list(all=True, filters=mine):
        container.remove(force=True)
    for network in engine.networks.list(filters=mine):
        network.remove()


@pytest.fixture
def hosts(engine: Any, lab: Lab) -> LabHosts:
    """Both hosts, up and plugged in."""
    hosts = LabHosts(engine, lab, print)
    hosts.up()
    return hosts


def test_killed_up_is_finished_by_the_next_one(engine: Any, lab: Lab) -> None:
    with subprocess.Popen([sys.executable, "-m", "golive.lab", "up", "-i", str(lab.inventory)], stdout=subprocess.DEVNULL) as first:
        _await(lambda: bool(_left_behind(engine, lab)))
        first.kill()
    hosts = LabHosts(engine, lab, print)
    hosts.up()
    assert [(status.state, status.outdated, status.cut) for status in hosts.status()] == [("running", False, False)] * 2
    assert hosts.up() == []


def test_hosts_are_reached_by_ssh_with_the_key_that_was_pinned(hosts: LabHosts, lab: Lab) -> None:
    done = _ssh(lab, "left", "sudo", "systemctl", "is-system-running")
    assert (done.stdout.strip(), done.returncode) == ("running", 0)


def test_host_with_another_key_is_refused(hosts: LabHosts, lab: Lab) -> None:
    pinned = lab.known_hosts.read_text()
    left, right = lab.host("left").address, lab.host("right").address
    try:
        lab.known_hosts.write_text(pinned.replace(left, "x").replace(right, left))
        done = _ssh(lab, "left", "true")
    finally:
        lab.known_hosts.write_text(pinned)
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_password_is_not_asked_for(hosts: LabHosts) -> None:
    code, output = hosts.execute("left", ["sshd", "-T"])
    assert code == 0
    assert b"\npasswordauthentication no\n" in output
    assert b"\nkbdinteractiveauthentication no\n" in output


def test_hosts_have_keys_and_ids_of_their_own(hosts: LabHosts, lab: Lab) -> None:
    keys = [line.split()[2] for line in lab.known_hosts.read_text().splitlines()]
    ids = [hosts.execute(name, ["cat", "/etc/machine-id"])[1] for name in ("left", "right")]
    assert len(set(keys)) == len(set(ids)) == 2


def test_reset_replaces_one_host_and_no_other(hosts: LabHosts, lab: Lab, engine: Any) -> None:
    def seen(name: str) -> tuple[str, bool, str]:
        container = engine.containers.get(lab.container_name(lab.host(name)))
        pinned = next(line for line in lab.known_hosts.read_text().splitlines() if line.startswith(lab.host(name).address + " "))
        return container.id, hosts.execute(name, ["test", "-e", "/root/mark"])[0] == 0, pinned

    for name in ("left", "right"):
        assert hosts.execute(name, ["touch", "/root/mark"])[0] == 0
    left, right = seen("left"), seen("right")
    hosts.reset(["left"])
    assert seen("right") == right
    assert seen("left")[1] is False
    assert seen("left")[0] != left[0]
    assert seen("left")[2] != left[2]
    assert _ssh(lab, "left", "true").returncode == 0


def test_pulled_cable_stops_every_packet_and_changes_nothing_else(hosts: LabHosts, lab: Lab) -> None:
    def settings() -> list[bytes]:
        asked = (["cat", "/etc/hosts"], ["ip", "-4", "-oneline", "address"], ["ip", "route", "show", "default"])
        return [hosts.execute("left", argv)[1].replace(b" linkdown", b"") for argv in asked]

    def heard() -> bool:
        return hosts.execute("right", ["ping", "-c", "1", "-W", "1", "left"])[0] == 0

    before = settings()
    assert heard()
    hosts.cut("left")
    hosts.cut("left")
    assert not heard()
    assert [status.cut for status in hosts.status()] == [True, False]
    assert settings() == before
    hosts.heal("left")
    assert heard()
    assert settings() == before


def test_up_plugs_a_pulled_cable_in(hosts: LabHosts) -> None:
    hosts.cut("right")
    assert hosts.up() == ["right"]
    assert [status.cut for status in hosts.status()] == [False, False]


def test_stopped_host_is_started_with_what_it_had(hosts: LabHosts, lab: Lab, engine: Any) -> None:
    pinned = lab.known_hosts.read_text()
    hosts.execute("left", ["touch", "/root/kept"])
    engine.containers.get(lab.container_name(lab.host("left"))).kill()
    assert hosts.up() == ["left"]
    assert hosts.execute("left", ["test", "-e", "/root/kept"])[0] == 0
    assert sorted(lab.known_hosts.read_text().splitlines()) == sorted(pinned.splitlines())


def test_network_has_no_way_out(hosts: LabHosts, lab: Lab, engine: Any) -> None:
    assert engine.networks.get(lab.network_name).attrs["Internal"] is True
    assert hosts.execute("left", ["getent", "hosts", "right"])[0] == 0
    assert hosts.execute("left", ["getent", "hosts", "example.com"])[0] == 2


def test_units_get_credentials_limits_and_users_of_their_own(hosts: LabHosts) -> None:
    code, output = hosts.execute("left", [
        "systemd-run", "--wait", "--pipe", "--quiet", "-p", "DynamicUser=yes", "-p", "ProtectSystem=strict", "-p", "PrivateTmp=yes",
        "-p", "MemoryMax=100M", "-p", "SetCredential=word:open",
        "sh", "-c", 'cat "$CREDENTIALS_DIRECTORY/word"; ! touch /usr/x 2>/dev/null'])
    assert (code, output) == (0, b"open")


def test_offered_package_installs_without_a_network(hosts: LabHosts) -> None:
    assert hosts.execute("left", ["which", "jq"])[0] != 0
    code, output = hosts.execute("left", ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "jq"])
    assert code == 0, output.decode()
    assert hosts.execute("left", ["jq", "-n", "1+1"]) == (0, b"2\n")


def test_lab_of_another_inventory_is_left_alone(hosts: LabHosts, lab: Lab, engine: Any, tmp_path: Path) -> None:
    shutil.copy(INVENTORY, tmp_path / "lab.yml")
    stranger = LabHosts(engine, read_lab(tmp_path / "lab.yml"), print)
    for act in (stranger.up, stranger.down, lambda: stranger.reset(["left"])):
        with pytest.raises(LabError, match=f"already.*made from {lab.inventory}"):
            act()
    assert [status.state for status in hosts.status()] == ["running"] * 2


def test_command_says_in_one_line_what_is_wrong(hosts: LabHosts, lab: Lab) -> None:
    done = subprocess.run([sys.executable, "-m", "golive.lab", "reset", "lefty", "-i", str(lab.inventory)], check=False,
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "found lefty, expected left or right" in done.stderr


def test_exec_passes_the_exit_code_on(hosts: LabHosts, lab: Lab) -> None:
    command = [sys.executable, "-m", "golive.lab", "exec", "-i", str(lab.inventory), "left", "--", "sh", "-c", "echo hi; exit 7"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, "hi\n")


def test_down_leaves_nothing(hosts: LabHosts, lab: Lab, engine: Any) -> None:
    assert _left_behind(engine, lab)
    hosts.down()
    assert _left_behind(engine, lab) == []
    assert not lab.known_hosts.exists()
    assert not lab.key_file.exists()
    assert hosts.down() == []
