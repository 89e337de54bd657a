"""How do lab hosts come, go, start again bare, and lose their cable?

Every act may be interrupted and repeated: what is there and right is kept, what is missing is made, what is wrong is replaced.
Labels decide what belongs to a lab, so that `down` removes exactly that.
"""

from __future__ import annotations

import io
import socket
import tarfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.types
from docker.errors import APIError, NotFound

from . import keys
from .cable import is_plugged, set_cable
from .container import LABEL_HOST, LABEL_INVENTORY, LABEL_KEY, LABEL_LAB, container_arguments, labels
from .engine import cgroup_version
from .errors import LabError
from .image import image_tag
from .inventory import Lab, LabHost
from .run import Say, await_condition

_AT_ONCE = 4  # hosts started side by side
_LOGIN = "golive"
_READY = frozenset({"running", "degraded"})


@dataclass(frozen=True)
class HostStatus:
    """What the engine says about one host of the inventory."""

    host: LabHost
    state: str  # "absent", or the engine's word: running, exited, created …
    outdated: bool  # made from another image, or for another login key
    cut: bool  # running, with its cable pulled


class LabHosts:
    """The containers of one lab. `engine` is a docker.DockerClient; all methods raise LabError."""

    def __init__(self, engine: Any, lab: Lab, say: Say) -> None:
        self._engine, self._lab, self._say = engine, lab, say

    def up(self) -> list[str]:
        """Make sure that every host runs and answers; returns the names of those that were made or started."""
        self._refuse_foreign()
        key = keys.ensure_login_key(self._lab)
        self._ensure_network()
        self._remove_strangers()
        wanted = keys.fingerprint(key)
        changed = [status for status in self.status(wanted) if status.state != "running" or status.outdated or status.cut]
        self._side_by_side(lambda status: self._repair(status, key), changed)
        healthy = [host for host in self._lab.hosts if host not in [status.host for status in changed]]
        self._pin(healthy)
        return [status.host.name for status in changed]

    def reset(self, names: Iterable[str]) -> None:
        """Replace the named hosts by bare ones, with a new host key; the others are not touched."""
        hosts = [self._lab.host(name) for name in names]
        self._refuse_foreign()
        key = keys.ensure_login_key(self._lab)
        self._ensure_network()
        self._side_by_side(lambda host: self._make(host, key, "bare again"), hosts)

    def down(self) -> list[str]:
        """Remove everything that carries this lab's label, its login key and its pinned host keys; returns what was removed."""
        self._refuse_foreign()
        mine = {"label": f"{LABEL_LAB}={self._lab.name}"}
        containers = self._engine.containers.list(all=True, filters=mine)
        removed = [container.name for container in containers]
        self._side_by_side(_remove, containers)
        for network in self._engine.networks.list(filters=mine):
            removed.append(f"network {network.name}")
            network.remove()
        for volume in self._engine.volumes.list(filters=mine):
            removed.append(f"volume {volume.name}")
            volume.remove(force=True)
        keys.pin(self._lab, {host.address: None for host in self._lab.hosts})
        keys.forget_login_key(self._lab)
        return removed

    def status(self, key_fingerprint: str | None = None) -> list[HostStatus]:
        """What there is of each host of the inventory. Without `key_fingerprint`, the key's age is not judged."""
        found = []
        for host in self._lab.hosts:
            container = self._find(host)
            if container is None:
                found.append(HostStatus(host, "absent", outdated=False, cut=False))
                continue
            attached = container.attrs["NetworkSettings"]["Networks"].get(self._lab.network_name) or {}
            outdated = container.attrs["Config"]["Image"] != image_tag()
            outdated |= key_fingerprint is not None and container.labels.get(LABEL_KEY) != key_fingerprint
            outdated |= (attached.get("IPAMConfig") or {}).get("IPv4Address") != host.address
            cut = container.status == "running" and not outdated and not is_plugged(container)
            found.append(HostStatus(host, container.status, outdated, cut))
        return found

    def cut(self, name: str) -> None:
        """Pull the host's cable: no carrier, no packet in or out; everything on it goes on running. Safe to repeat."""
        host = self._lab.host(name)
        set_cable(self._engine, self._running(host), plugged=False)

    def heal(self, name: str) -> None:
        """Plug the cable in again and wait until ssh answers. Safe to repeat."""
        host = self._lab.host(name)
        set_cable(self._engine, self._running(host), plugged=True)
        await_condition(f"ssh on {host.name}", lambda: _ssh_answers(host.address))

    def execute(self, name: str, argv: list[str]) -> tuple[int, bytes]:
        """Run `argv` as root inside the host, not over ssh; returns exit code and output (standard and error together)."""
        code, output = self._running(self._lab.host(name)).exec_run(argv)
        return int(code), bytes(output)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def _repair(self, status: HostStatus, key: str) -> None:
        if status.state == "absent":
            self._make(status.host, key, "made")
        elif status.outdated:
            self._make(status.host, key, "made anew: image, address or key had changed")
        elif status.state == "running":
            self.heal(status.host.name)
            self._say(f"{status.host.name}: plugged in again")
        else:
            self._start(status.host, self._find(status.host), f"started (was {status.state})")

    def _make(self, host: LabHost, key: str, done: str) -> None:
        old = self._find(host)
        if old is not None:
            _remove(old)
        arguments = container_arguments(self._lab, host, image_tag(), cgroup_version(self._engine), keys.fingerprint(key))
        endpoint = docker.types.EndpointConfig(self._engine.api._version, ipv4_address=host.address)
        try:
            container = self._engine.containers.create(**arguments, network=self._lab.network_name,
                                                       networking_config={self._lab.network_name: endpoint})
        except APIError as error:
            raise LabError("the engine refuses to make the host", where=host.name, found=error.explanation or str(error),
                           todo="run `make lab` to build what is missing") from error
        container.put_archive("/home/golive/.ssh", _authorized_keys(key))
        self._start(host, container, done)

    def _start(self, host: LabHost, container: Any, done: str) -> None:
        began = time.monotonic()
        try:
            container.start()
        except APIError as error:
            raise LabError("the engine cannot start the host", where=host.name, found=error.explanation or str(error)) from error
        await_condition(f"ssh on {host.name}", lambda: _ssh_answers(host.address), lambda: _last_words(container))
        state = ""

        def booted() -> bool:
            nonlocal state
            state = container.exec_run(["systemctl", "is-system-running"])[1].decode(errors="replace").strip()
            return state in _READY

        await_condition(f"systemd on {host.name}", booted, lambda: f"state {state}")
        self._pin([host])
        failed = _failed_units(container) if state == "degraded" else ""
        self._say(f"{host.name} {host.address}: {done} in {time.monotonic() - began:.1f} s{failed}")

    def _pin(self, hosts: Iterable[LabHost]) -> None:
        """Pin the hosts' keys, read from inside the containers: nobody in between can have answered for them."""
        found: dict[str, str | None] = {}
        for host in hosts:
            code, output = 0, b""

            def read(host: LabHost = host) -> bool:
                nonlocal code, output
                code, output = self._running(host).exec_run(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
                return code != 0 or bool(output.strip())

            # On a loaded machine the engine has been seen to end an exec with 0 before it handed its output on.
            await_condition(f"ssh key of {host.name}", read, lambda: "an empty answer")
            if code != 0:
                raise LabError("the host has no ssh key", where=host.name, found=output.decode(errors="replace").strip(),
                               todo=f"reset it: python -m golive.lab reset {host.name}")
            found[host.address] = output.decode("ascii").strip()
        keys.pin(self._lab, found)

    def _side_by_side(self, act: Callable[[Any], None], things: list[Any]) -> None:
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            for future in [pool.submit(act, thing) for thing in things]:
                future.result()

    def _find(self, host: LabHost) -> Any | None:
        try:
            return self._engine.containers.get(self._lab.container_name(host))
        except NotFound:
            return None

    def _running(self, host: LabHost) -> Any:
        container = self._find(host)
        if container is None or container.status != "running":
            raise LabError("the lab host does not run", where=host.name, found=container.status if container else "absent",
                           todo=f"python -m golive.lab up --inventory {self._lab.inventory}")
        return container

    def _network(self) -> Any:
        return self._engine.networks.get(self._lab.network_name)

    def _ensure_network(self) -> None:
        """The lab's own network, without a way out: a rehearsal cannot reach a real venue, whatever a host believes."""
        subnet = str(self._lab.network)
        try:
            network = self._network()
        except NotFound:
            pool = docker.types.IPAMPool(subnet=subnet, gateway=str(self._lab.network.network_address + 1))
            try:
                self._engine.networks.create(self._lab.network_name, driver="bridge", internal=True, check_duplicate=True,
                                             ipam=docker.types.IPAMConfig(pool_configs=[pool]), labels=labels(self._lab))
            except APIError as error:
                raise LabError("the engine refuses the lab's network", where=f"{self._lab.inventory}: lab_network {subnet}",
                               found=error.explanation or str(error),
                               todo="take the other lab down, or choose another lab_network") from error
            return
        found = [pool.get("Subnet") for pool in network.attrs["IPAM"]["Config"]]
        if found != [subnet]:
            raise LabError("the lab's network has another subnet", where=self._lab.network_name, found=", ".join(map(str, found)),
                           expected=subnet, todo="run `python -m golive.lab down`, then `up`")

    def _remove_strangers(self) -> None:
        """Hosts that the inventory no longer names."""
        names = {self._lab.container_name(host) for host in self._lab.hosts}
        for container in self._engine.containers.list(all=True, filters={"label": f"{LABEL_LAB}={self._lab.name}"}):
            if container.name not in names:
                self._say(f"{container.labels.get(LABEL_HOST, container.name)}: removed, no longer in the inventory")
                _remove(container)

    def _refuse_foreign(self) -> None:
        """A lab of the same name that was made from another inventory is somebody else's: its keys are not ours.

        What another checkout left behind, its inventory gone or its hosts not running since the engine was started anew, is nobody's.
        """
        for container in self._engine.containers.list(all=True, filters={"label": f"{LABEL_LAB}={self._lab.name}"}):
            other = container.labels.get(LABEL_INVENTORY)
            if other != str(self._lab.inventory):
                if container.status != "running" or not Path(str(other)).exists():
                    self._say(f"{container.name}: removed, left behind by another checkout")
                    _remove(container)
                    continue
                raise LabError(f"a lab called {self._lab.name} is up already", where=str(self._lab.inventory), found=f"made from {other}",
                               todo=f"run `python -m golive.lab down --inventory {other}`, or choose another lab_name")


def _remove(container: Any) -> None:
    try:
        container.remove(force=True, v=True)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409:  # 409: another process is removing it right now
            raise


def _authorized_keys(key: str) -> bytes:
    """A tar archive with `authorized_keys`, for the login user (the first one made in the image: uid 1000)."""
    body = f"{key}\n".encode()
    entry = tarfile.TarInfo("authorized_keys")
    entry.size, entry.mode, entry.uid, entry.gid = len(body), 0o600, 1000, 1000
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(body))
    return archive.getvalue()


def _ssh_answers(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1) as connection:
            connection.settimeout(1)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _last_words(container: Any) -> str:
    container.reload()
    words = container.logs(tail=3).decode(errors="replace").strip().replace("\n", " | ")
    return f"container {container.status}: {words or 'it said nothing'}"


def _failed_units(container: Any) -> str:
    output = container.exec_run(["systemctl", "list-units", "--state=failed", "--plain", "--no-legend"])[1].decode(errors="replace")
    return ", failed units: " + ", ".join(line.split()[0] for line in output.splitlines() if line.split())
