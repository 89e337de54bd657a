"""load_test: the signed record of a load or soak run, bound to the release that carried the load."""
from __future__ import annotations

from typing import Any, Dict

from . import _record
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 20
ASK = {"directory": "str; required; folder of the records, from the repository's root", "profile": "str; required; name of the load",
       "subject": "str; required; release digest, or current", "system": "str; optional",
       "signers": "str; optional; for the reader of the catalogue, the run's own signers are used"}
FACTS = {"passed": "bool", "bound": "bool; false: a record was forged or changed", "reason": "str", "age_s": "float; seconds",
         "age_days": "float; days", "issuer": "str", "id": "str", "result.*": "as the load run measures"}


def observe(ask: Dict[str, Any], look: Look) -> Observed:
    """Return what the newest load run of this name measured."""
    return _record.read(ask, look, "load", ask["profile"], ask["subject"])
