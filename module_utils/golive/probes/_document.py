"""Reads a JSON object out of an answer that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any, Dict, List


def mapping(body: bytes) -> Dict[str, Any]:
    """Return a JSON object, {} for everything else."""
    found: Any = None
    try:
        found = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def mappings(value: Any) -> List[Dict[str, Any]]:
    """Return the objects in a list, [] for everything that is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
