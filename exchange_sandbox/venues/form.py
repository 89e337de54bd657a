"""Reads form-encoded texts: most of a venue's requests have no escapes, and are then split without the general parser."""

from __future__ import annotations

from urllib.parse import parse_qsl

MOST_FIELDS = 200


def pairs(text: str, strict: bool) -> list[tuple[str, str]]:
    """Return names and values in their order. `strict`: a part without "=" is no form. Raises ValueError, also for too many fields."""
    if not text:
        return []
    if "%" in text or "+" in text or text.count("&") >= MOST_FIELDS:
        return parse_qsl(text, keep_blank_values=True, strict_parsing=strict, max_num_fields=MOST_FIELDS)
    out = []
    for part in text.split("&"):
        name, sign, value = part.partition("=")
        if not sign and strict:
            raise ValueError("no form")
        if part:
            out.append((name, value))
    return out
