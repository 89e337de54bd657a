"""One task of a set module on a target: from its arguments on standard input to one line. Standard library only."""
from __future__ import annotations

import importlib
from typing import Any, Dict, Mapping

from .. import streamed


def main(payload: Mapping[str, Any]) -> None:
    """Carry out the set in the module `payload.set` and print its result."""
    streamed.answer(payload, lambda: _performed(payload))


def _performed(payload: Mapping[str, Any]) -> Dict[str, Any]:
    try:
        result: Dict[str, Any] = importlib.import_module(payload["set"]).perform(payload["arguments"], payload["dry"])
    except Exception as exc:  # noqa: BLE001 - a defect of ours: named by its place; its words could quote what was given
        return {"failed": True, "msg": "golive has a defect: %s in %s; please report it" % (type(exc).__name__, _place(exc))}
    return result


def _place(exc: Exception) -> str:
    """Return module:line of golive's last frame."""
    at, place = exc.__traceback__, "an unknown place"
    while at is not None:
        name = at.tb_frame.f_code.co_filename
        place = "%s:%d" % (name.strip("<>"), at.tb_lineno) if name.startswith("<golive.") else place
        at = at.tb_next
    return place
