"""Login keys and pinned host keys of a lab."""

from __future__ import annotations

import ipaddress
import subprocess
from pathlib import Path

import pytest
from golive.lab import keys
from golive.lab.errors import LabError
from golive.lab.inventory import Lab, LabHost


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab("t", ipaddress.IPv4Network("10.9.8.0/24"), (LabHost("bot", "10.9.8.11"),), tmp_path / "lab.yml")


def test_login_key_is_private_and_made_once(lab: Lab) -> None:
    first = keys.ensure_login_key(lab)
    assert keys.ensure_login_key(lab) == first
    assert lab.key_file.stat().st_mode & 0o777 == 0o600
    assert lab.key_file.parent.stat().st_mode & 0o777 == 0o700


def test_private_key_without_its_public_half_is_replaced(lab: Lab) -> None:
    first = keys.ensure_login_key(lab)
    lab.key_file.with_suffix(".ssh_key.pub").unlink()
    assert keys.ensure_login_key(lab) != first


def test_fingerprint_is_openssh_s(lab: Lab) -> None:
    line = keys.ensure_login_key(lab)
    said = subprocess.run(["ssh-keygen", "-lf", lab.key_file], check=True, capture_output=True, text=True).stdout
    assert keys.fingerprint(line) in said.split()


def test_no_key_is_refused() -> None:
    with pytest.raises(LabError, match="not an OpenSSH public key"):
        keys.fingerprint("ssh-ed25519")


def test_new_host_key_replaces_the_old_one_and_no_other(lab: Lab) -> None:
    keys.pin(lab, {"10.9.8.11": "ssh-ed25519 AAA root@bot", "10.9.8.111": "ssh-ed25519 BBB"})
    keys.pin(lab, {"10.9.8.11": "ssh-ed25519 CCC root@bot"})
    assert lab.known_hosts.read_text().splitlines() == ["10.9.8.111 ssh-ed25519 BBB", "10.9.8.11 ssh-ed25519 CCC"]


def test_last_forgotten_host_leaves_no_file(lab: Lab) -> None:
    keys.pin(lab, {"10.9.8.11": "ssh-ed25519 AAA"})
    keys.pin(lab, {"10.9.8.11": None})
    assert not lab.known_hosts.exists()
