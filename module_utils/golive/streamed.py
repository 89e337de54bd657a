"""The other end of golive.streaming, on a target: the one line that is the answer. Standard library only."""
from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Mapping


def answer(payload: Mapping[str, Any], give: Callable[[], Dict[str, Any]]) -> None:
    """Print `--golive <nonce> [answer]` and nothing else on standard output: what children of `give` print goes to standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    out.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps([give()])))
    out.flush()
