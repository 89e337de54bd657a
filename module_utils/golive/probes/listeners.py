"""listeners: on which ports a host listens for others, as its own kernel says. A firewall hides a listener, no more."""
from __future__ import annotations

import ipaddress
import os
from typing import Any, Dict, Iterator, List, Mapping, Set, Tuple

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 5
ASK = {"root": "str; optional; where the host's files begin, / by default"}
FACTS = {
    "ports": "list of str; `tcp/22`, every port that is open on an address others can reach, sorted",
    "where": "list of str; `tcp 0.0.0.0:22 sshd`, with the program where the kernel names it",
}
_LISTEN, _UNCONNECTED = "0A", "07"
_Row = Tuple[str, str, int, str]


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Opportunities are the sockets that listen at all, those on loopback too. UDP counts below the range that clients draw from."""
    root = str(ask.get("root") or "/").rstrip("/")
    lowest = int(_read(root, "/proc/sys/net/ipv4/ip_local_port_range").split()[0])
    rows = [row for kind in ("tcp", "tcp6", "udp", "udp6") for row in _sockets(root, kind, lowest)]
    if not rows:
        raise Undecided("the kernel shows no listening socket, not even that of this connection")
    others = [row for row in rows if not ipaddress.ip_address(row[1]).is_loopback]
    names = _programs(root, {row[3] for row in others})
    where = sorted({"%s %s:%d %s" % (kind, address, port, names.get(inode, "")) for kind, address, port, inode in others})
    ports = sorted({(kind, port) for kind, _, port, _ in others})
    return Observed({"ports": ["%s/%d" % one for one in ports], "where": [one.strip() for one in where]}, opportunities=len(rows))


def _sockets(root: str, kind: str, lowest: int) -> Iterator[_Row]:
    """Yield (tcp or udp, address, port, inode) of one table of the kernel; there is none where IPv6 is switched off."""
    if kind.endswith("6") and not os.path.exists("%s/proc/net/%s" % (root, kind)):
        return
    wanted = _LISTEN if kind.startswith("tcp") else _UNCONNECTED
    for line in _read(root, "/proc/net/%s" % kind).splitlines()[1:]:
        words = line.split()
        if len(words) < 10 or words[3] != wanted:
            continue
        address, _, port = words[1].partition(":")
        number = int(port, 16)
        if wanted == _LISTEN or number < lowest:
            yield kind[:3], _address(address), number, words[9]


def _address(text: str) -> str:
    """Return an address that the kernel prints as hexadecimal words in the order of its bytes in memory."""
    words = [bytes.fromhex(text[at:at + 8])[::-1] for at in range(0, len(text), 8)]
    found = ipaddress.ip_address(b"".join(words))
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def _programs(root: str, inodes: Set[str]) -> Dict[str, str]:
    """Return inode -> program, as far as the looking user may see it."""
    wanted, found = {"socket:[%s]" % inode: inode for inode in inodes}, {}
    folder = root + "/proc"
    pids: List[str] = [name for name in os.listdir(folder) if name.isdigit()]
    for pid in pids:
        try:
            links = {os.readlink("%s/%s/fd/%s" % (folder, pid, name)) for name in os.listdir("%s/%s/fd" % (folder, pid))}
            for link in links & set(wanted):
                found[wanted[link]] = _read(root, "/proc/%s/comm" % pid).strip()
        except (OSError, Undecided):     # it ended, or is not ours to look into
            continue
    return found


def _read(root: str, path: str) -> str:
    try:
        with open(root + path, encoding="ascii", errors="replace") as handle:
            return handle.read()
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path, exc.strerror or type(exc).__name__)) from None
