"""name_service: who answers when a program of this host asks for a name: its resolvers, and lines of a file that answer before them."""
from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, Mapping

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 5
ASK = {"root": "str; optional; where the host's files begin, / by default"}
FACTS = {
    "servers": "list of str; addresses of the resolvers, in the order they are asked; behind systemd-resolved's own address those it asks",
    "names": "list of str; `127.0.0.1 api.kraken.com`: names with a dot that the hosts file answers, sorted; localhost's own left out",
}
#: what stands in resolv.conf when systemd-resolved asks in the host's stead, and where it says whom it asks
_STUBS, _BEHIND = ("127.0.0.53", "127.0.0.54"), "/run/systemd/resolve/resolv.conf"


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Opportunities are the resolvers. Raises Undecided for a file that cannot be read."""
    root = str(ask.get("root") or "/").rstrip("/")
    servers = _servers(root, "/etc/resolv.conf")
    if any(one in _STUBS for one in servers) and os.path.exists(root + _BEHIND):
        servers += [one for one in _servers(root, _BEHIND) if one not in servers]
    facts: Dict[str, Any] = {"servers": servers, "names": sorted(set(_names(root)))}
    return Observed(facts, opportunities=len(servers))


def _servers(root: str, path: str) -> List[str]:
    rows = [line.split() for line in _lines(root, path)]
    return [row[1] for row in rows if len(row) > 1 and row[0] == "nameserver"]


def _names(root: str) -> Iterator[str]:
    for line in _lines(root, "/etc/hosts"):
        words = line.split("#")[0].split()
        for name in words[1:]:
            if "." in name.rstrip(".") and not name.lower().startswith("localhost."):
                yield "%s %s" % (words[0], name.lower())


def _lines(root: str, path: str) -> List[str]:
    try:
        with open(root + path, encoding="utf-8", errors="replace") as handle:
            return handle.read().splitlines()
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path, exc.strerror or type(exc).__name__)) from None
