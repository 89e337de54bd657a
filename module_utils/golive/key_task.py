"""One question about a key on the host where it lives: from checked arguments on standard input to one line. Standard library only."""
from __future__ import annotations

import json
import os
from typing import Any, Dict

from .errors import GoliveError
from .exchange.task import perform

_PATHS = ("ca_file", "nonce_file")  # of type path: ~ and $NAME are this host's, not the controller's


def main(payload: Dict[str, Any]) -> None:
    """Ask and print `--golive <nonce> <json>`: what `perform` returns, or `problem` for options that mean nothing."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    arguments = payload["arguments"]
    for name in _PATHS:
        if arguments[name] is not None:
            arguments[name] = os.path.expanduser(os.path.expandvars(arguments[name]))
    try:
        answer = perform(arguments, arguments.pop("key_material"))
    except GoliveError as exc:
        answer = {"problem": str(exc)}
    out.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps([answer])))
    out.flush()
