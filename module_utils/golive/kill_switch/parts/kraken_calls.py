"""Kraken's REST protocol, v0 (docs.kraken.com): signing, nonces, envelope."""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
from typing import Any, Dict, Optional

from .line import Line
from .words import Gone, Refused, Silent

BATCH = 50                      # CancelOrderBatch takes at most 50 ids
NONCE_LEAP_US = 1_000_000


class Kraken:
    """The calls that stopping needs. One connection; a nonce of its own key, in microseconds."""

    def __init__(self, url: str, ca_file: Optional[str], key: str, secret: bytes) -> None:
        self._line = Line(url, ca_file)
        self._key, self._secret, self._nonce, self._stale = key, secret, 0, 0

    def private(self, call: str, **fields: Any) -> Any:
        """Call a private method and return its result. Raises Refused in the venue's words, Silent when there is no answer."""
        path = "/0/private/" + call
        self._nonce = max(self._nonce + 1, time.time_ns() // 1000)
        listed = any(isinstance(value, list) for value in fields.values())  # batch calls take lists, and these only as JSON
        given = dict(fields, nonce=self._nonce)
        body = json.dumps(given).encode() if listed else urllib.parse.urlencode(given).encode()
        message = path.encode() + hashlib.sha256(str(self._nonce).encode() + body).digest()
        signature = base64.b64encode(hmac.new(self._secret, message, hashlib.sha512).digest()).decode()
        kind = "application/json" if listed else "application/x-www-form-urlencoded"
        try:
            result = self._answer("POST", path, body, {"API-Key": self._key, "API-Sign": signature, "Content-Type": kind})
        except Refused as exc:
            if "EAPI:Invalid nonce" in str(exc):
                # A clock that runs behind, or another switch with the same key: the venue wants a higher number, so leap ever further.
                self._stale += 1
                self._nonce += NONCE_LEAP_US * 4 ** min(self._stale - 1, 12) if self._stale > 1 else 0
            raise
        self._stale = 0
        return result

    def public(self, call: str, **fields: Any) -> Any:
        """Call a public method and return its result."""
        return self._answer("GET", "/0/public/%s?%s" % (call, urllib.parse.urlencode(fields)), None, {})

    def _answer(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Any:
        status, heard, raw = self._line.ask(method, path, body, headers)
        try:
            data = json.loads(raw)
            errors, result = data["error"], data.get("result")
        except (ValueError, KeyError, TypeError, AttributeError):
            self._line.drop()
            if status == 429:
                raise Refused("status 429: too many requests", limited=True, wait_s=_seconds(heard.get("retry-after"))) from None
            raise Silent("status %d without a Kraken answer" % status) from None
        if errors:
            words = "; ".join(str(one) for one in errors)[:300]
            if "EOrder:Unknown order" in words:
                raise Gone(words)
            limited = any(word in words for word in ("Rate limit", "Too many requests", "Throttled", "lockout"))
            raise Refused(words, limited=limited, wait_s=_seconds(heard.get("retry-after")) if limited else 0.0)
        return result


def _seconds(text: Optional[str]) -> float:
    return min(60.0, float(text)) if text and text.isdigit() else 0.0
