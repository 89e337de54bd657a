"""Which arguments does the module exchange_key_permissions take? What each means stands in its own documentation."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from .nonce import SOURCES, UNITS
from .rules import MATCHES

_NAMES = {"type": "list", "elements": "str", "default": []}
ARGUMENTS: Dict[str, Dict[str, Any]] = {
    "venue": {"type": "str", "required": True},
    "credential": {"type": "str", "no_log": False},
    "key_material": {"type": "raw", "no_log": True},
    "market": {"type": "str"},
    "environment": {"type": "str", "default": "production"},
    "rehearsal": {"type": "bool", "default": False},
    "base_url": {"type": "str"},
    "ca_file": {"type": "path"},
    "proxy": {"type": "str"},
    "timeout": {"type": "float", "default": 10},
    "nonce_source": {"type": "str", "choices": list(SOURCES)},
    "nonce_unit": {"type": "str", "choices": list(UNITS), "default": "ms"},
    "nonce_file": {"type": "path"},
    "nonce_file_may_be_new": {"type": "bool", "default": False},
    "bot_units": _NAMES,
    "quiet_since": {"type": "str"},
    "allow": {"type": "list", "elements": "str", "default": ["read", "trade"]},
    "allow_any": {"type": "bool", "default": False},
    "require": _NAMES,
    "forbid": _NAMES,
    "ip_allowlist": {
        "type": "dict",
        "options": {"match": {"type": "str", "required": True, "choices": list(MATCHES)}, "addresses": _NAMES},
    },
    "egress": {"type": "list", "elements": "str"},
    "egress_seen_by": _NAMES,
    "max_age_days": {"type": "float"},
    "min_days_left": {"type": "float"},
    "enforce": {"type": "bool", "default": True},
}
ONE_KEY: List[Tuple[str, ...]] = [("credential", "key_material")]  # exactly one of them
