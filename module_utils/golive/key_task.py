"""One question about a key on the host where it lives: from checked arguments on standard input to one line. Standard library only."""
from __future__ import annotations

import os
from typing import Any, Dict

from . import streamed
from .errors import GoliveError
from .exchange.task import perform

_PATHS = ("ca_file", "nonce_file")  # of type path: ~ and $NAME are this host's, not the controller's


def main(payload: Dict[str, Any]) -> None:
    """Ask and print what `perform` returns, or `problem` for options that mean nothing."""
    streamed.answer(payload, lambda: _asked(payload["arguments"]))


def _asked(arguments: Dict[str, Any]) -> Dict[str, Any]:
    for name in _PATHS:
        if arguments[name] is not None:
            arguments[name] = os.path.expanduser(os.path.expandvars(arguments[name]))
    try:
        return perform(arguments, arguments.pop("key_material"))
    except GoliveError as exc:
        return {"problem": str(exc)}
