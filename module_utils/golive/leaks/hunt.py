"""One host is searched for secrets that it must not hold in the places given. Standard library, Python 3.9; the host gets keyed hashes."""
from __future__ import annotations

import fnmatch
import glob
from typing import Any, Dict, List, Mapping

from ..errors import GoliveError
from .index import Index
from .places import Search

ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "indexes": {"type": "list", "elements": "str", "required": True, "no_log": True},
    "paths": {"type": "list", "elements": "str", "default": []},
    "journal": {"type": "bool", "default": False},
    "processes": {"type": "bool", "default": False},
    "images": {"type": "list", "elements": "str", "default": []},
    "containers": {"type": "list", "elements": "str", "default": []},
    "allowed": {"type": "list", "elements": "str", "default": []},
}
_SHOWN = 200


def perform(params: Mapping[str, Any]) -> Dict[str, Any]:
    """Search and return `{found, allowed, unread, things, bytes}`: places, never a secret.

    `paths` are files, folders or patterns; what is not there holds nothing. `allowed` are patterns of places in which a secret lies
    lawfully. Raises GoliveError for an index that is none, and where there was nothing to search.
    """
    found: Dict[Any, str] = {}
    allowed = set()
    things = size = 0
    unread: List[str] = []
    for text in params["indexes"]:
        try:
            search = Search(Index.load(text))
        except ValueError as exc:
            raise GoliveError("what was delivered is no index of secrets", found=str(exc)[:80]) from None
        _look(search, params)
        for place in search.found:
            if any(fnmatch.fnmatchcase(place.where, one) for one in params["allowed"]):
                allowed.add(place.where)
            else:  # one line a place and secret, however often it stands there
                found.setdefault((place.where, place.secret), str(place))
        unread += search.unread
        things, size = things + search.things, size + search.bytes
    if not things:
        raise GoliveError("nothing was searched", todo="name paths that are there, or journal, processes, images, containers")
    return {"found": sorted(found.values())[:_SHOWN], "allowed": len(allowed), "unread": sorted(set(unread))[:_SHOWN],
            "things": things, "bytes": size}


def _look(search: Search, params: Mapping[str, Any]) -> None:
    for pattern in params["paths"]:
        for path in sorted(glob.glob(pattern)):
            search.tree(path)
    for name in params["images"]:
        search.image(name)
    for name in params["containers"]:
        search.container(name)
    if params["journal"]:
        search.journal()
    if params["processes"]:
        search.processes()
