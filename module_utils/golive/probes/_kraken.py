"""One signed question to Kraken with a query-only key, on the looking host. The answer's words are redacted."""
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
import urllib.parse
from typing import Any, Dict, Optional

from ..errors import Undecided
from .look import Look


class Kraken:
    """Asks private endpoints. The key is this probe's own: a nonce of the bot's key is never spent."""

    def __init__(self, look: Look, url: str, ca_file: Optional[str], credential: str) -> None:
        self._look, self._url, self._ca_file = look, url.rstrip("/"), ca_file
        try:
            found = json.loads(look.secret(credential))
            self._key, self._secret = str(found["key"]), base64.b64decode(str(found["secret"]), validate=True)
        except (ValueError, KeyError, TypeError, binascii.Error):
            raise Undecided("the secret %s is not JSON with key and secret" % credential) from None
        self._last = 0

    def ask(self, name: str, **params: str) -> Dict[str, Any]:
        """Return `result`. Raises Undecided with the venue's own words when there is none."""
        path = "/0/private/" + name
        self._last = max(self._last + 1, time.time_ns() // 1000)
        body = urllib.parse.urlencode(dict({"nonce": str(self._last)}, **params))
        inner = hashlib.sha256((str(self._last) + body).encode("ascii")).digest()
        signature = base64.b64encode(hmac.new(self._secret, path.encode("ascii") + inner, hashlib.sha512).digest()).decode("ascii")
        headers = {"API-Key": self._key, "API-Sign": signature, "Content-Type": "application/x-www-form-urlencoded"}
        answer = self._look.get(self._url + path, headers=headers, data=body.encode("ascii"), ca_file=self._ca_file, timeout=10)
        try:
            document = json.loads(answer.body.decode("utf-8"))
            errors, result = document["error"], document.get("result")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise Undecided("%s of the venue answered %d without JSON" % (name, answer.status)) from None
        if errors or not isinstance(result, dict):
            words = "; ".join(map(str, errors))[:200] if isinstance(errors, list) else "no result"
            raise Undecided("%s was refused by the venue: %s" % (name, words.replace(self._key, "[key]")))
        return result
