"""The message authentication codes that venues use over text: HMAC of a digest, as hex or base64."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Optional


def mac_hex(secret: str, text: str, digest: str = "sha256") -> str:
    """Return the lower-case hex HMAC of a text under a secret taken as UTF-8."""
    return hmac.new(secret.encode("utf-8"), text.encode("utf-8"), digest).hexdigest()


def mac_base64(secret: str, text: str, digest: str = "sha256") -> str:
    """Return the base64 HMAC of a text under a secret taken as UTF-8."""
    return base64.b64encode(hmac.new(secret.encode("utf-8"), text.encode("utf-8"), digest).digest()).decode("ascii")


def kraken_mac(secret: str, prefix: bytes, text: str) -> str:
    """Return Kraken's base64 HMAC-SHA512 of `prefix + SHA256(text)`; the secret itself is base64."""
    message = prefix + hashlib.sha256(text.encode("utf-8")).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), message, hashlib.sha512).digest()).decode("ascii")


def base64_bytes(text: str) -> Optional[int]:
    """Return how many bytes a base64 text holds, or None if it is none."""
    try:
        return len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        return None
