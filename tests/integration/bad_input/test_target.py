"""A target with another host key, without Python, without space, or not there: one clear message, and the target is as it was."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ..sets.conftest import Lab
from .conftest import Mini, says

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]
ROOT = Path(__file__).resolve().parents[3]
ADDRESS = "172.30.95.31"
INVENTORY = f"""\
all:
  children:
    rehearsal:
      hosts:
        subject: {{ansible_host: {ADDRESS}}}
      vars: {{lab_network: 172.30.95.0/24, lab_name: bad}}
    targets: {{hosts: {{subject: {{}}}}}}
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    place = tmp_path_factory.mktemp("target")
    (place / "lab.yml").write_text(INVENTORY)
    (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    made = Lab(place / "lab.yml", place)
    done = made.tool("up")
    assert done.returncode == 0, done.stdout + done.stderr
    yield made
    made.tool("down")


@pytest.fixture
def host(lab: Lab, mini: Mini, tmp_path: Path) -> Mini:
    """The miniature with the lab's host as beta, reached by ssh with pinned keys that the test may change."""
    (tmp_path / "known_hosts").write_text((lab.place / "known_hosts").read_text())
    mini.hosts["beta"] = {
        "ansible_host": ADDRESS, "ansible_user": "golive", "ansible_ssh_private_key_file": str(lab.place / "lab/bad.ssh_key"),
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={tmp_path}/known_hosts -o GlobalKnownHostsFile=/dev/null "
                                   "-o StrictHostKeyChecking=yes -o HostKeyAlgorithms=ssh-ed25519 -o IdentitiesOnly=yes "
                                   "-o ControlMaster=no -o ControlPath=none"}
    mini.controls = {name: one for name, one in mini.controls.items() if one["phase"] == "preflight"}
    mini.controls["first.holds"]["ask"] = {"path": "/etc/number"}
    lab.inside("sh", "-c", "echo 5 > /etc/number")
    (mini.numbers / "first.holds").write_text("5")
    return mini


def reason(mini: Mini, subject: str = "beta") -> str:
    verdicts = mini.latest("preflight/gate.json")["verdicts"]
    (found,) = [one for one in verdicts if one["subject"] == subject and one["control"] == "first.holds"]
    assert found["verdict"] == "undecided", found
    return str(found["reason"])


def look(mini: Mini) -> subprocess.CompletedProcess[str]:
    done = mini.run()
    assert done.returncode in (2, 4), done.stdout[-2000:]
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_another_host_key_is_named_as_such_and_nothing_is_sent(lab: Lab, host: Mini, tmp_path: Path) -> None:
    pinned, since = (tmp_path / "known_hosts").read_text(), lab.inside("date", "+%F %T").strip()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    kind, key = (tmp_path / "other.pub").read_text().split()[:2]
    (tmp_path / "known_hosts").write_text(f"{ADDRESS} {kind} {key}\n")
    look(host)
    assert "Host key verification failed" in reason(host)
    (tmp_path / "known_hosts").write_text(pinned)
    assert "Accepted publickey for golive" not in lab.inside("journalctl", "--no-pager", "--output=cat", "--since", since)


def test_a_target_without_python_says_so(lab: Lab, host: Mini) -> None:
    lab.inside("mv", "/usr/bin/python3", "/usr/bin/python3.away")
    try:
        look(host)
        assert "there is no Python at /usr/bin/python3" in reason(host)
    finally:
        lab.inside("mv", "/usr/bin/python3.away", "/usr/bin/python3")


def test_a_full_disk_on_a_target_is_one_sentence_and_the_old_file_stays_whole(lab: Lab, host: Mini) -> None:
    lab.inside("sh", "-c", "mkdir -p /srv/small && mount -t tmpfs -o size=64k small /srv/small && echo old > /srv/small/settings")
    try:
        task = {"name": "Settings", "become": True, "managed_files": {"files": [{"path": "/srv/small/settings", "content": "x" * 200_000}]}}
        play = {"name": "Build", "hosts": "beta", "gather_facts": False, "tasks": [task]}
        (host.path / "playbooks/preflight.yml").write_text(yaml.safe_dump([play]))
        told = says(host.run(), "No space left on device")
        assert "/srv/small/settings: the operating system refused" in told
        assert lab.inside("sh", "-c", "cat /srv/small/settings; ls -A /srv/small").split() == ["old", "settings"]
    finally:
        lab.inside("umount", "/srv/small")
