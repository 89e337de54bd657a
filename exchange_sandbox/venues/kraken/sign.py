"""Kraken's request signature.

API-Sign = base64(HMAC-SHA512(base64decode(secret), path + SHA256(nonce + body))); the body is hashed as it was sent
(docs.kraken.com, guides/rest/authentication, with a published vector that the tests hold us to).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac


def signature(secret: bytes, path: str, nonce: str, body: bytes) -> bytes:
    """Return the 64 raw bytes of the signature; `path` starts with `/0/private/`."""
    inner = hashlib.sha256(nonce.encode() + body).digest()
    return hmac.digest(secret, path.encode() + inner, "sha512")


def matches(secret: bytes, path: str, nonce: str, body: bytes, header: str) -> bool:
    """Tell whether the API-Sign header is the signature, in constant time; a malformed header is no match."""
    try:
        given = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, signature(secret, path, nonce, body))
