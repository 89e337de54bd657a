"""With which rights a lab host is started, on either cgroup version.

One machine has one cgroup version: what the other would get is proven here on the generated arguments, and only there.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from docker.types import HostConfig
from golive.lab.container import container_arguments
from golive.lab.errors import LabError
from golive.lab.inventory import Lab, LabHost

LAB = Lab("t", ipaddress.IPv4Network("10.9.8.0/24"), (LabHost("bot", "10.9.8.11"), LabHost("venue", "10.9.8.12")), Path("/x/lab.yml"))


def _arguments(cgroup_version: int) -> dict[str, Any]:
    return container_arguments(LAB, LAB.hosts[0], "golive-lab:k", cgroup_version, "SHA256:f")


def test_cgroup_v1_shares_the_machines_hierarchy() -> None:
    arguments = _arguments(1)
    assert arguments["cgroupns"] == "host"
    assert arguments["volumes"] == {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}}
    assert arguments["environment"] == {
        "container": "docker",
        "SYSTEMD_PROC_CMDLINE": "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
    }


def test_cgroup_v2_gets_a_hierarchy_of_its_own() -> None:
    arguments = _arguments(2)
    assert arguments["cgroupns"] == "private"
    assert "volumes" not in arguments  # the machine's root, bound into it, would be taken for the host's own
    assert arguments["environment"] == {"container": "docker"}


@pytest.mark.parametrize("cgroup_version", [1, 2])
def test_rights_are_the_needed_ones_and_no_more(cgroup_version: int) -> None:
    arguments = _arguments(cgroup_version)
    assert sorted(arguments["cap_add"]) == ["DAC_READ_SEARCH", "NET_ADMIN", "SYS_ADMIN"]
    traced = container_arguments(dataclasses.replace(LAB, traces=True), LAB.hosts[0], "golive-lab:k", cgroup_version, "SHA256:f")
    assert sorted(traced["cap_add"]) == ["DAC_READ_SEARCH", "NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"]
    assert arguments["security_opt"] == ["seccomp=unconfined", "apparmor=unconfined"]
    assert set(arguments["tmpfs"]) == {"/run", "/run/lock", "/tmp"}
    assert not arguments.get("privileged", False)
    assert not any("docker.sock" in volume for volume in arguments.get("volumes", {}))


@pytest.mark.parametrize("cgroup_version", [1, 2])
def test_engine_of_the_oldest_supported_version_takes_the_arguments(cgroup_version: int) -> None:
    arguments = _arguments(cgroup_version)
    of_host = {name: arguments[name] for name in ("cap_add", "security_opt", "tmpfs", "extra_hosts", "dns", "dns_opt", "cgroupns")}
    accepted = HostConfig(version="1.41", **of_host)
    assert accepted["CgroupnsMode"] == {1: "host", 2: "private"}[cgroup_version]
    assert accepted["ExtraHosts"] == ["venue:10.9.8.12"]


def test_unknown_cgroup_version_is_refused() -> None:
    with pytest.raises(LabError, match=r"unknown cgroup version.* found 3"):
        _arguments(3)


def test_everything_is_labelled_for_its_lab() -> None:
    assert _arguments(1)["labels"] == {"golive.lab": "t", "golive.inventory": "/x/lab.yml", "golive.host": "bot", "golive.key": "SHA256:f"}
