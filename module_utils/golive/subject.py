"""Which release evidence has to be about: the digest that this run bound, by whatever word the profile calls it."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import canonical
from .errors import Undecided

BOUND = "release.json"
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")


def of(asked: Any, context: Mapping[str, Any]) -> str:
    """Return `sha256:<64 hex>`. `current` is the release that this run found installed on the bots' hosts (`<run>/release.json`).

    Anything that is not text is digested in canonical form: a person signs the content, not a name for it.
    Raises Undecided when the release is not known yet.
    """
    if not isinstance(asked, str):
        return canonical.digest(asked)
    match = _DIGEST.match(asked)
    if match:
        return "sha256:" + match.group(1)
    if asked != "current":
        raise Undecided(f"{asked} names no release: write its digest, or current")
    try:
        bound = json.loads((Path(context["run_dir"]) / BOUND).read_text("utf-8"))["artifact"]
    except (OSError, ValueError, KeyError, TypeError):
        raise Undecided("no release is bound to this run yet: the bots' hosts have not said which one they hold") from None
    if not isinstance(bound, str) or _DIGEST.match(bound) is None:
        raise Undecided("the release bound to this run is not a digest")
    return bound
