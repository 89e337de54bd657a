"""Which hosts does a lab have, where, and where do its keys lie?

The inventory file is the only source of truth: hosts of group `rehearsal` that are not reached by connection `local`, their
`ansible_host`, and the variables `lab_name` and `lab_network`. `lab_traces: true` lets root of the hosts look into the processes of
other users, as root of a real host may (open files, mount namespaces).
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import LabError
from .run import REPOSITORY

DEFAULT_INVENTORY = Path(os.environ.get("GOLIVE_INVENTORY") or REPOSITORY / "inventories" / "kraken-micro" / "lab.yml")
GROUP = "rehearsal"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


@dataclass(frozen=True)
class LabHost:
    """One container of the lab."""

    name: str
    address: str


@dataclass(frozen=True)
class Lab:
    """A lab as its inventory describes it."""

    name: str
    network: ipaddress.IPv4Network
    hosts: tuple[LabHost, ...]
    inventory: Path
    traces: bool = False

    @property
    def network_name(self) -> str:
        return f"golive-{self.name}"

    @property
    def key_file(self) -> Path:
        """Private key that opens every host of this lab; its public half lies beside it."""
        return self.inventory.parent / "lab" / f"{self.name}.ssh_key"

    @property
    def known_hosts(self) -> Path:
        """Pinned host keys, by address."""
        return self.inventory.parent / "known_hosts"

    def container_name(self, host: LabHost) -> str:
        return f"golive-{self.name}-{host.name}"

    def host(self, name: str) -> LabHost:
        """The host called `name`. Raises LabError if the inventory has none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError("no such lab host", where=str(self.inventory), found=name,
                       expected=" or ".join(host.name for host in self.hosts))


def read_lab(path: Path) -> Lab:
    """The lab of inventory file `path`. Raises LabError with file, what was found and what was expected."""
    path = path.absolute()
    where = str(path)
    try:
        yaml.safe_load(path.read_text(encoding="utf-8"))  # Ansible only warns about a file it cannot read
    except OSError as error:
        raise LabError("cannot read the inventory", where=where, found=error.strerror, todo="give --inventory a file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError("the inventory is not YAML", where=where, found=" ".join(str(error).split())) from error
    # Half a second of imports, which making the engine, the image and Vault sure can do without.
    from ansible.inventory.manager import InventoryManager  # noqa: PLC0415
    from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415

    inventory = InventoryManager(loader=DataLoader(), sources=[where])
    group = inventory.groups.get(GROUP)
    members: list[Any] = sorted(group.get_hosts(), key=lambda host: str(host.name)) if group else []
    variables = {host.name: _variables(host) for host in members}
    remote = {name: values for name, values in variables.items() if values.get("ansible_connection") != "local"}
    if not remote:
        raise LabError("no lab host", where=where, found=f"group {GROUP} is empty or absent",
                       expected=f"hosts with ansible_host in group {GROUP}")
    name = _same_for_all(remote, "lab_name", where)
    network_text = _same_for_all(remote, "lab_network", where)
    if not _NAME.fullmatch(name):
        raise LabError("lab_name cannot name a container", where=where, found=repr(name), expected="a-z, 0-9 and - (at most 31)")
    try:
        network = ipaddress.IPv4Network(network_text)
    except ValueError as error:
        raise LabError("lab_network is not a network", where=where, found=repr(network_text), expected="like 172.30.77.0/24") from error
    hosts = tuple(LabHost(host, _address(host, values, network, where)) for host, values in remote.items())
    for address in {host.address for host in hosts}:
        twice = [host.name for host in hosts if host.address == address]
        if len(twice) > 1:
            raise LabError("two lab hosts have one address", where=where, found=f"{address} for {', '.join(twice)}")
    return Lab(name, network, hosts, path, any(values.get("lab_traces") is True for values in remote.values()))


def _variables(host: Any) -> dict[str, Any]:
    """Variables of a host from the inventory file alone: its groups', from far to near, then its own."""
    values: dict[str, Any] = {}
    for group in sorted(host.get_groups(), key=lambda group: (group.depth, group.priority, group.name)):
        values.update(group.get_vars())
    values.update(host.vars)
    return values


def _same_for_all(hosts: dict[str, dict[str, Any]], variable: str, where: str) -> str:
    found = {str(values.get(variable, "")) for values in hosts.values()}
    if len(found) != 1 or found == {""}:
        raise LabError(f"{variable} must be set once, for all lab hosts", where=where, found=", ".join(sorted(found)) or "nothing",
                       todo=f"set it under vars of group {GROUP}")
    return found.pop()


def _address(name: str, values: dict[str, Any], network: ipaddress.IPv4Network, where: str) -> str:
    """The host's fixed address. The first one of the network is the engine's own (the gateway)."""
    text = str(values.get("ansible_host", ""))
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise LabError(f"ansible_host of {name} is not an address", where=where, found=repr(text),
                       expected=f"an address in {network}") from error
    usable = address in network and address not in (network.network_address, network.network_address + 1, network.broadcast_address)
    if not usable:
        raise LabError(f"ansible_host of {name} cannot be used", where=where, found=text,
                       expected=f"an address in {network}, not its first (the engine's) and not its last")
    return str(address)
