"""credential_source: do the credentials that a running unit was handed hold what the store holds now, and does no text around it hold them?

The host gets keyed hashes (`index:` references), never a value. A credential in which the store's value is not found was put there by
somebody else, or is of before a rotation: the process works with it all the same.
"""
from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping

from ..errors import Undecided
from ..leaks.index import Index
from . import _units, logs
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 15
ASK = {
    "unit": "str; required; the running unit",
    "credentials": "dict; required; by name of a credential the reference (index:vault:…) to what it has to hold",
}
FACTS = {
    "from_store": "list of str; credentials that hold the store's value of now",
    "elsewhere": "list of str; credentials that hold something else",
    "missing": "list of str; credentials that the unit was not handed",
    "literals": "list of str; where around the process a value stands in clear: its unit's files, arguments, environment",
}
CREDENTIALS = "/run/credentials"
_CAP = 1 << 20


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Read what systemd handed over and what stands around it. Raises Undecided where the unit does not run."""
    wanted = ask["credentials"]
    if not isinstance(wanted, dict) or not wanted:
        raise Undecided("the question names no credential")
    unit = _units.show(str(ask["unit"]), look)
    if not unit.running:
        raise Undecided("%s does not run, so nobody was handed a credential" % unit.name)
    facts: Dict[str, List[str]] = {name: [] for name in FACTS}
    held: List[Index] = []
    for name, reference in sorted(wanted.items()):
        index = logs.indexes([look.secret(str(reference))])
        held += index
        data = _read(os.path.join(CREDENTIALS, unit.name, os.path.basename(str(name))))
        if data is None:
            facts["missing"].append(str(name))
        else:
            facts["from_store" if _holds(data, index) else "elsewhere"].append(str(name))
    places = [unit.properties.get("FragmentPath", ""), *unit.properties.get("DropInPaths", "").split()]
    for place in [*filter(None, places), "%s/%d/cmdline" % (_units.PROC, unit.pid), "%s/%d/environ" % (_units.PROC, unit.pid)]:
        data = _read(place)
        if data is None:
            raise Undecided("%s cannot be read" % place)
        if any(True for index in held for _ in index.search(data)):
            facts["literals"].append(place)
    return Observed(dict(facts), opportunities=len(wanted))


def _holds(data: bytes, indexes: List[Index]) -> bool:
    return any(hit.whole for index in indexes for hit in index.search(data))


def _read(path: str) -> Any:
    try:
        with open(path, "rb") as handle:
            return handle.read(_CAP)
    except OSError:
        return None
