"""Binance's signed REST protocol, spot and USD-M futures: one way to sign, one envelope of errors (developers.binance.com)."""
from __future__ import annotations

import hashlib
import hmac
import json
import time
import urllib.parse
from typing import Any, Dict, Optional

from .line import Line
from .words import Gone, Refused, Silent

RECV_WINDOW_MS = 5000
RECV_WINDOW_MAX_MS = 60000
GONE = (-2011, -2013, -2022)            # unknown order; order does not exist; reduce-only rejected because nothing is left to reduce
UNKNOWN_OUTCOME = (-1000, -1001, -1006, -1007)  # the venue itself does not know whether it acted


class Binance:
    """The calls that stopping needs. One connection; times are the venue's once it has complained about ours."""

    def __init__(self, url: str, ca_file: Optional[str], key: str, secret: bytes) -> None:
        self._line = Line(url, ca_file)
        self._key, self._secret = key, secret
        self._ahead: Optional[float] = None
        self._time_path = "/api/v3/time"

    def of_futures(self) -> Binance:
        """Return itself, asking the futures' clock."""
        self._time_path = "/fapi/v1/time"
        return self

    def signed(self, method: str, path: str, until: Optional[float] = None, **params: Any) -> Any:
        """Call and return the answer. `until` (venue's clock): the venue refuses the request when it arrives later.

        Raises Refused, Gone or Silent. A clock that the venue does not accept is set by the venue's, once, and the call repeated.
        """
        try:
            return self._signed(method, path, until, params)
        except Refused as exc:
            if "(-1021)" not in str(exc) or until is not None:
                raise
            self._ahead = None
            self.now()
            return self._signed(method, path, until, params)

    def _signed(self, method: str, path: str, until: Optional[float], params: Dict[str, Any]) -> Any:
        moment = (self.now() if until is not None else time.time() + (self._ahead or 0.0)) * 1000
        window = RECV_WINDOW_MS if until is None else min(RECV_WINDOW_MAX_MS, int(until * 1000 - moment))
        if window < 1:
            raise Refused("too late for this order")
        query = urllib.parse.urlencode({**params, "recvWindow": window, "timestamp": int(moment)})
        query += "&signature=" + hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self._key}
        if method in ("GET", "DELETE"):
            return self._answer(method, path + "?" + query, None, headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self._answer(method, path, query.encode(), headers)

    def public(self, path: str, **params: Any) -> Any:
        """Call without a signature."""
        return self._answer("GET", path + ("?" + urllib.parse.urlencode(params) if params else ""), None, {})

    def now(self) -> float:
        """Return the venue's clock; asked once, then told by the difference."""
        if self._ahead is None:
            self._ahead = float(self.public(self._time_path)["serverTime"]) / 1000 - time.time()
        return time.time() + self._ahead

    def _answer(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Any:
        status, heard, raw = self._line.ask(method, path, body, headers)
        try:
            data = json.loads(raw)
        except ValueError:
            self._line.drop()
            if status in (418, 429):
                raise Refused("status %d: too many requests" % status, limited=True, wait_s=_wait(heard)) from None
            raise Silent("status %d without a Binance answer" % status) from None
        if status < 400 and not (isinstance(data, dict) and _code(data) < 0):
            return data
        code = _code(data) if isinstance(data, dict) else 0
        words = ("%s (%d)" % (data.get("msg", ""), code))[:300] if isinstance(data, dict) else "status %d" % status
        if status in (418, 429) or code == -1003:
            raise Refused(words, limited=True, wait_s=_wait(heard))
        if code in UNKNOWN_OUTCOME or (status >= 500 and not code):
            raise Silent("status %d: %s" % (status, words))
        raise (Gone if code in GONE else Refused)(words)


def _code(data: Dict[str, Any]) -> int:
    try:
        return int(data.get("code") or 0)
    except (TypeError, ValueError):
        return 0


def _wait(heard: Dict[str, str]) -> float:
    text = heard.get("retry-after", "")
    return min(120.0, float(text)) if text.isdigit() else 0.0
