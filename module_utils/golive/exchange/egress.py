"""With which addresses is this host seen from outside? Asked of reflectors on other hosts of the owner, IPv4 and IPv6 apart.

A reflector answers the caller's address as `{"ip": "…"}` (see reflector.py). The key is never sent to it.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import time
from typing import Callable, List, Sequence

from .model import Request
from .transport import Endpoint, Transport, Trouble

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
# Documentation addresses: connecting a datagram socket only looks up a route, no packet is sent.
_SOMEWHERE = {socket.AF_INET: ("192.0.2.1", 9), socket.AF_INET6: ("2001:db8::1", 9)}


class Unseen(Exception):
    """The egress addresses cannot be known; `str()` says why."""


def has_route(family: int) -> bool:
    """Return whether this host has a way out in a family."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(_SOMEWHERE[socket.AddressFamily(family)])
            return True
    except OSError:
        return False


def seen_by(
    reflectors: Sequence[Endpoint],
    seconds: float,
    routed: Callable[[int], bool] = has_route,
    transport: Callable[[Endpoint], Transport] = Transport,
) -> List[str]:
    """Return the addresses, sorted, that the reflectors saw. Raises Unseen unless every family with a route was seen by one.

    A host that can go out by IPv6 and is seen by IPv4 reflectors only would pass with half an allow-list.
    """
    found: List[str] = []
    deadline = time.monotonic() + seconds
    for family in _FAMILIES:
        if not routed(family):
            continue
        troubles: List[str] = []
        seen = {address for address in (_ask(one._replace(family=family), deadline, troubles, transport) for one in reflectors) if address}
        if not seen:
            name = "IPv4" if family == socket.AF_INET else "IPv6"
            raise Unseen("this host has a way out by %s and no reflector saw it: %s" % (name, "; ".join(troubles) or "none was named"))
        found += seen
    if not found:
        raise Unseen("this host has no way out, neither by IPv4 nor by IPv6")
    return sorted(found)


def _ask(reflector: Endpoint, deadline: float, troubles: List[str], transport: Callable[[Endpoint], Transport]) -> str:
    try:
        answer, _ = transport(reflector).send(Request("GET", "/", {}), deadline)
        told = json.loads(answer.body.decode("ascii"))["ip"] if answer.status == 200 else None
        address = ipaddress.ip_address(told) if isinstance(told, str) else None
    except Trouble as trouble:
        troubles.append(trouble.what)
        return ""
    except (ValueError, KeyError, TypeError):
        address = None
    if address is None:
        troubles.append("%s did not answer with an address" % reflector.host)
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
