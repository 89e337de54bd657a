"""Binance's request signature: hex(HMAC-SHA256(secret, query string + body)), both as they were sent, without the signature itself."""

from __future__ import annotations

import hmac
import re

_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


def signature(secret: bytes, payload: str) -> str:
    """Return the signature of query string and body, put together without a separator."""
    return hmac.digest(secret, payload.encode(), "sha256").hex()


def split(query: str, body: str) -> tuple[str, str]:
    """Return the signed payload and the signature that came with it (the last parameter of query or body)."""
    for text, in_body in ((body, True), (query, False)):
        found = _SIGNATURE.search(text)
        if found is not None:
            rest = text[: found.start()] + text[found.end() :]
            return (query + rest if in_body else rest + body), found.group(1)
    return query + body, ""


def matches(secret: bytes, payload: str, given: str) -> bool:
    """Tell in constant time whether the signature is right; hex digits of either case."""
    return hmac.compare_digest(given.lower().encode("utf-8", "replace"), signature(secret, payload).encode())
