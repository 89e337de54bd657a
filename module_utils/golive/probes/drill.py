"""drill: the signed record of a drill, bound to the release that was drilled."""
from __future__ import annotations

from typing import Any, Dict

from . import _record
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 20
ASK = {"directory": "str; required; folder of the records, from the repository's root", "name": "str; required; name of the drill",
       "subject": "str; required; release digest, or current", "system": "str; optional"}
FACTS = {"passed": "bool", "bound": "bool; false: a record was forged or changed", "reason": "str", "age_s": "float; seconds",
         "age_days": "float; days", "issuer": "str", "id": "str", "result.*": "as the drill measures"}


def observe(ask: Dict[str, Any], look: Look) -> Observed:
    """Return what the newest drill of this name found."""
    return _record.read(ask, look, "drill", ask["name"], ask["subject"])
