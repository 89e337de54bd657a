"""The venue's own words, without anything that is ours: key, secret, signature, address, IIBAN, long token, control code."""

from __future__ import annotations

import base64
import re
from typing import Iterable, List
from urllib.parse import quote

from .model import Credential

CAP = 200
_PATTERNS = (
    (re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){3}\b"), "[account]"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "[mail]"),
    (re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"), "[address]"),
    (re.compile(r"[A-Za-z0-9+/_=-]{20,}"), "[token]"),
)
_COLONS = re.compile(r"[0-9A-Fa-f.]*(?::[0-9A-Fa-f.]*){2,}")
_TIME_OF_DAY = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def forms(secret: str) -> List[str]:
    """Return the spellings in which a secret could turn up: plain, base64, hex, url-encoded, reversed."""
    raw = secret.encode("utf-8")
    return [
        secret,
        base64.b64encode(raw).decode("ascii"),
        base64.urlsafe_b64encode(raw).decode("ascii"),
        raw.hex(),
        quote(secret, safe=""),
        secret[::-1],
    ]


def redact(words: str, credential: Credential, also: Iterable[str] = ()) -> str:
    """Return the words of the other side, at most 200 characters, one line, safe to print and to keep."""
    for part in (*credential, *also):
        if len(part) < 4:
            continue  # too short to tell from ordinary words; a real part of a key never is
        for form in forms(part):
            words = words.replace(form, "[ours]")
    for pattern, name in _PATTERNS:
        words = pattern.sub(name, words)
    words = _COLONS.sub(_address, words)
    words = _CONTROL.sub(" ", words).strip()
    return words if len(words) <= CAP else words[: CAP - 1] + "…"


def _address(found: re.Match[str]) -> str:
    """Every written form of IPv6 has two colons or more between hex digits; so has a time of day, which may stay."""
    return found.group(0) if _TIME_OF_DAY.match(found.group(0)) else "[address]"
