"""What may a text from outside look like once it stands in a report? Everything a probe returned passes through here."""
from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

from ..canonical import parse_utc
from ..errors import GoliveError

CAP = 400
"""Characters of one value that a reader sees; the run directory keeps the rest."""

# ECMA-48: CSI, then the string sequences (DCS, SOS, OSC, PM, APC) up to their terminator, then any other escape. A string
# sequence without an end loses only its beginning: it must not be able to swallow the rest of the line.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x1b\x07\x9c]*(?:\x1b\\|\x07|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
)

_CUT = re.compile(r"… \((\d{1,12}) more characters\)$")


def clean(value: Any, cap: int = CAP) -> str:
    """Return text of one line without terminal codes, control, invisible and direction-changing characters, capped.

    What was cut is counted in the text, so that a reader never takes a part for the whole.
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    text = re.sub(r"\s+", " ", _TERMINAL.sub("", text))
    # Cc control, Cf format (zero width, bidi), Cs surrogate, Co private use, Cn unassigned.
    text = "".join(" " if unicodedata.category(c) in ("Zl", "Zp") else c
                   for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")).strip()
    return _cut(text, cap)


def _cut(text: str, cap: int) -> str:
    """Cut to `cap` characters and count what is gone, together with what an earlier cut has counted."""
    gone = 0
    earlier = _CUT.search(text)
    if earlier:
        text, gone = text[: earlier.start()], int(earlier[1])
    if len(text) > cap:
        kept = text[:cap].rstrip()
        text, gone = kept, gone + len(text) - len(kept)
    return f"{text}… ({gone} more characters)" if gone else text


def moment(value: Any) -> str | None:
    """Return a UTC time in the one form, None for anything else: a time that cannot be read is not known."""
    try:
        parse_utc(value)
    except GoliveError:
        return None
    return str(value)


def words(value: Any) -> list[str]:
    """Return the cleaned texts of a list; anything else is an empty list."""
    return [clean(one, 120) for one in value if isinstance(one, str)] if isinstance(value, list) else []
