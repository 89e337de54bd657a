"""With which arguments is a lab host started?

Never privileged: that needs CAP_SYS_RESOURCE, which virtual machines and CI runners often lack, and it would hand the whole
machine to a host under test. What is given instead, and why: NET_ADMIN for nftables, SYS_ADMIN for the mounts systemd makes
(PrivateTmp, credentials, ProtectSystem), DAC_READ_SEARCH for credentials of dynamic users; seccomp and AppArmor off because
units bring their own filters. SYS_TIME is withheld: a lab host must not set this machine's clock. SYS_PTRACE only where the
inventory asks for it (`lab_traces`).
"""

from __future__ import annotations

from typing import Any

from .errors import LabError
from .inventory import Lab, LabHost

LABEL_LAB = "golive.lab"
LABEL_HOST = "golive.host"
LABEL_INVENTORY = "golive.inventory"
LABEL_KEY = "golive.key"
INIT = "/usr/local/sbin/golive-lab-init"

# systemd 257 (trixie) still runs on cgroup v1, but wants to be asked twice.
_LEGACY_CGROUP = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"


def labels(lab: Lab) -> dict[str, str]:
    """What everything made for this lab carries, and what `down` therefore removes."""
    return {LABEL_LAB: lab.name, LABEL_INVENTORY: str(lab.inventory)}


def container_arguments(lab: Lab, host: LabHost, image: str, cgroup_version: int, key_fingerprint: str) -> dict[str, Any]:
    """Keyword arguments of docker's `containers.create`, but for the network attachment.

    cgroup v1: systemd shares the machine's hierarchy. cgroup v2: it gets a private one, mounted by the engine (read-only,
    made writable by the init script): the machine's own root bound into a private namespace would let the guest's systemd
    take it for its own. Raises LabError for any other version.
    """
    environment = {"container": "docker"}
    arguments: dict[str, Any] = {
        "image": image,
        "command": [INIT],
        "name": lab.container_name(host),
        "hostname": host.name,
        "cap_add": ["NET_ADMIN", "SYS_ADMIN", "DAC_READ_SEARCH", *(["SYS_PTRACE"] if lab.traces else [])],
        "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
        "tmpfs": {"/run": "", "/run/lock": "", "/tmp": ""},  # noqa: S108
        "environment": environment,
        "extra_hosts": {other.name: other.address for other in lab.hosts if other != host},
        # Names come from the inventory; a question that goes further gets no answer, and quickly.
        "dns": ["127.0.0.1"],
        "dns_opt": ["timeout:1", "attempts:1"],
        "labels": {**labels(lab), LABEL_HOST: host.name, LABEL_KEY: key_fingerprint},
        "stop_signal": "SIGRTMIN+3",
        "detach": True,
    }
    if cgroup_version == 1:
        environment["SYSTEMD_PROC_CMDLINE"] = _LEGACY_CGROUP
        arguments["cgroupns"] = "host"
        arguments["volumes"] = {"/sys/fs/cgroup": {"bind": "/sys/fs/cgroup", "mode": "rw"}}
    elif cgroup_version == 2:
        arguments["cgroupns"] = "private"
    else:
        raise LabError("unknown cgroup version", where="docker info", found=cgroup_version, expected="1 or 2")
    return arguments
