"""One kept connection to a venue."""
from __future__ import annotations

import http.client
import ssl
import urllib.parse
from typing import Dict, Optional, Tuple

from .words import Silent

CALL_TIMEOUT_S = 5.0
ANSWER_MAX = 8 << 20


class Line:
    """HTTP/1.1 over one connection that is opened when needed and dropped after any trouble. One thread at a time."""

    def __init__(self, url: str, ca_file: Optional[str]) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca_file) if self._parts.scheme == "https" else None
        self._connection: Optional[http.client.HTTPConnection] = None

    def ask(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Tuple[int, Dict[str, str], bytes]:
        """Return status, headers (lower case) and body. Raises Silent when there is no whole answer."""
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            raw = answer.read(ANSWER_MAX)
        except (OSError, http.client.HTTPException) as exc:
            self.drop()
            raise Silent("%s: %s" % (type(exc).__name__, str(exc)[:100])) from None
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, raw

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port or 443, timeout=CALL_TIMEOUT_S, context=self._tls)
        return http.client.HTTPConnection(host, port or 80, timeout=CALL_TIMEOUT_S)

    def drop(self) -> None:
        """Close the connection; the next question opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
