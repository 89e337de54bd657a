"""Is a lab host's network cable plugged in, and how is it pulled?

A container's interface is one end of a pair; the other end lies on this machine's bridge. That end is switched, so the host
sees what a pulled cable shows: no carrier, while its addresses, routes, names and rules stay. (Detaching the container from
its network would take the interface away, and the names of the other hosts with it.) A helper container on this machine's
network does it, so that access to the engine is all the right that is needed.
"""

from __future__ import annotations

from typing import Any

from docker.errors import ContainerError

from .container import LABEL_INVENTORY, LABEL_LAB
from .errors import LabError

_INTERFACE = "/sys/class/net/eth0"
_SWITCH = 'name=$(ip -oneline link | sed -n "s/^$1: \\([^@:]*\\)[@:].*/\\1/p") && [ -n "$name" ] && exec ip link set dev "$name" "$2"'


def is_plugged(container: Any) -> bool:
    """True if the running host's interface has a carrier."""
    code, output = container.exec_run(["cat", f"{_INTERFACE}/carrier"])
    return int(code) == 0 and bytes(output).strip() == b"1"


def set_cable(engine: Any, container: Any, *, plugged: bool) -> None:
    """Plug the running host's cable in, or pull it; nothing is done if it is so already. Raises LabError."""
    if is_plugged(container) == plugged:
        return
    code, output = container.exec_run(["cat", f"{_INTERFACE}/iflink"])
    peer = bytes(output).decode(errors="replace").strip()
    if code != 0 or not peer.isdigit():
        raise LabError("the host has no network interface", where=container.name, found=peer, todo="reset the host")
    try:
        engine.containers.run(container.attrs["Config"]["Image"], ["sh", "-euc", _SWITCH, "sh", peer, "up" if plugged else "down"],
                              network_mode="host", cap_drop=["ALL"], cap_add=["NET_ADMIN"], remove=True, stderr=True,
                              labels={label: container.labels[label] for label in (LABEL_LAB, LABEL_INVENTORY)})
    except ContainerError as error:
        words = (error.stderr or b"").decode(errors="replace").strip()
        raise LabError("cannot switch the host's cable", where=container.name, found=words) from error
    if is_plugged(container) != plugged:
        raise LabError("the host's cable did not change", where=container.name, expected="plugged" if plugged else "pulled")
