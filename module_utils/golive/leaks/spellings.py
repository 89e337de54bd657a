"""How can one secret be written? Every spelling that a program, a log or a report could give it."""
from __future__ import annotations

import base64
import html
import json
import re
import shlex
import urllib.parse
from typing import Dict, List, NamedTuple, Tuple

SHORTEST = 6            # characters; anything shorter would match ordinary text
_LINE = 20              # characters; a line of a longer secret that is worth a search of its own
_TOKEN = re.compile(r"[A-Za-z0-9+/=_-]{24,}\Z")
_WORD = re.compile(r"[a-z]{7,}|[A-Z]{9,}")
_ARMOUR = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")


class Spelling(NamedTuple):
    """`text` is what would stand in a file; of an `opaque` one (a random token) a half already is a leak."""

    form: str
    text: bytes
    opaque: bool


def parts(secret: str) -> List[str]:
    """Return what of a secret has to be searched: the texts of a JSON object, else the whole.

    Raises ValueError when nothing is long enough to be told from ordinary text.
    """
    try:
        value = json.loads(secret)
    except (ValueError, RecursionError):
        value = None
    texts = [one for one in value.values() if isinstance(one, str)] if isinstance(value, dict) else [secret]
    found = [one.strip() for one in texts if len(one.strip()) >= SHORTEST]
    if not found:
        raise ValueError("a secret to look for is shorter than %d characters: it would match anything" % SHORTEST)
    return found


def spellings(text: str) -> List[Spelling]:
    """Return every spelling of one text, each once; of several lines also the lines by themselves (a log indents and prefixes them)."""
    found: Dict[bytes, Spelling] = {}
    for name, one in [("", text), *_lines(text)]:
        opaque = _opaque(one)
        for form, spelt in _forms(one).items():
            if len(spelt) >= SHORTEST:
                found.setdefault(spelt, Spelling(name + form, spelt, opaque))
    return list(found.values())


def _opaque(text: str) -> bool:
    """Return whether a text is a random token: no words, some digits. A piece of a sentence or an address stands in many places."""
    return bool(_TOKEN.match(text)) and sum(one.isdigit() for one in text) >= 3 and not _WORD.search(text)


def _lines(text: str) -> List[Tuple[str, str]]:
    lines = [one.strip() for one in text.splitlines()]
    if len(lines) < 2:
        return []
    return [("a line in ", one) for one in lines if len(one) >= _LINE and len(set(one)) >= 8 and not _ARMOUR.match(one)]


def _forms(text: str) -> Dict[str, bytes]:
    raw = text.encode("utf-8", "surrogatepass")
    escaped = json.dumps(text)[1:-1]
    written = {
        "plain": text,
        "json": escaped, "json (utf-8)": json.dumps(text, ensure_ascii=False)[1:-1], "json (slashes)": escaped.replace("/", "\\/"),
        "json twice": json.dumps(escaped)[1:-1], "repr": repr(text)[1:-1], "html": html.escape(text), "shell": shlex.quote(text),
        "hex": raw.hex(), "hex (upper)": raw.hex().upper(),
        "reversed": text[::-1],
    }
    for name, safe in (("url", ""), ("url (path)", "/")):
        written[name] = urllib.parse.quote(raw, safe=safe)
        written[name + " (lower)"] = re.sub("%[0-9A-F]{2}", lambda found: found.group().lower(), written[name])
    written["url (form)"] = urllib.parse.quote_plus(raw)
    found = {form: one.encode("utf-8", "surrogatepass") for form, one in written.items()}
    for offset in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            middle = _middle(encode(b"\0" * offset + raw), offset, len(raw))
            found["%s at %d" % (name, offset)] = middle
    return found


def _middle(encoded: bytes, offset: int, length: int) -> bytes:
    """Return the characters of a base64 text that depend on the secret alone: not on what stands before or after it."""
    first = (0, 2, 3)[offset]
    return encoded[first : (offset + length) * 8 // 6]
