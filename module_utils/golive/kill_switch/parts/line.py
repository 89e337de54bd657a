"""One kept connection, HTTP/1.1. The standard library's client costs 40 ms to import, a third of what a cold start may take."""
from __future__ import annotations

import socket
import ssl
import time
import urllib.parse
from typing import Dict, List, Optional, Tuple

from .words import Silent

CALL_TIMEOUT_S = 5.0        # to connect, and for a whole answer
ANSWER_MAX = 8 << 20
HEAD_MAX = 64 << 10


class Line:
    """HTTP/1.1 over one connection that is opened when needed and dropped after any trouble. One thread at a time."""

    def __init__(self, url: str, ca_file: Optional[str]) -> None:
        self._parts = urllib.parse.urlsplit(url)
        self._tls = ssl.create_default_context(cafile=ca_file) if self._parts.scheme == "https" else None
        self._socket: Optional[socket.socket] = None
        self._heard = b""

    def ask(self, method: str, path: str, body: Optional[bytes], headers: Dict[str, str]) -> Tuple[int, Dict[str, str], bytes]:
        """Return status, headers (lower case) and body. Raises Silent when there is no whole answer in time."""
        try:
            line = self._socket = self._socket or self._connect()
            until = time.monotonic() + CALL_TIMEOUT_S
            head = ["%s %s HTTP/1.1" % (method, path), "Host: %s" % self._parts.netloc.rpartition("@")[2], "Accept-Encoding: identity"]
            head += ["%s: %s" % item for item in headers.items()]
            head += ["Content-Length: %d" % len(body or b"")] if body is not None or method != "GET" else []
            line.settimeout(CALL_TIMEOUT_S)
            line.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + (body or b""))
            status, heard = self._head(until)
            raw = self._body(method, status, heard, until)
        except (OSError, ValueError, IndexError) as exc:
            self.drop()
            raise Silent("%s: %s" % (type(exc).__name__, str(exc)[:100])) from None
        if "close" in heard.get("connection", "").lower():
            self.drop()
        return status, heard, raw

    def _connect(self) -> socket.socket:
        host = self._parts.hostname or ""
        plain = socket.create_connection((host, self._parts.port or (443 if self._tls else 80)), CALL_TIMEOUT_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)

    def _more(self, until: float) -> bytes:
        left = until - time.monotonic()
        if left <= 0 or self._socket is None:
            raise TimeoutError("no whole answer within %g s" % CALL_TIMEOUT_S)
        self._socket.settimeout(left)
        return self._socket.recv(65536)

    def _head(self, until: float) -> Tuple[int, Dict[str, str]]:
        while True:
            while b"\r\n\r\n" not in self._heard:
                got = self._more(until)
                if not got or len(self._heard) > HEAD_MAX:
                    raise ConnectionError("the connection was closed without an answer")
                self._heard += got
            head, _, self._heard = self._heard.partition(b"\r\n\r\n")
            first, *rest = head.decode("latin-1").split("\r\n")
            status = int(first.split(" ", 2)[1])
            if status >= 200:       # 1xx announces another head
                return status, {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}

    def _take(self, count: int, until: float) -> bytes:
        if count < 0 or count > ANSWER_MAX:
            raise ValueError("an answer of %d bytes" % count)
        while len(self._heard) < count:
            got = self._more(until)
            if not got:
                raise ConnectionError("the answer broke off")
            self._heard += got
        taken, self._heard = self._heard[:count], self._heard[count:]
        return taken

    def _body(self, method: str, status: int, heard: Dict[str, str], until: float) -> bytes:
        if method == "HEAD" or status in (204, 304):
            return b""
        if "chunked" in heard.get("transfer-encoding", "").lower():
            return self._chunks(until)
        if "content-length" in heard:
            return self._take(int(heard["content-length"]), until)
        while len(self._heard) <= ANSWER_MAX:       # no length: the answer ends with the connection
            got = self._more(until)
            if not got:
                break
            self._heard += got
        raw = self._heard
        self.drop()
        return raw

    def _chunks(self, until: float) -> bytes:
        parts: List[bytes] = []
        while True:
            while b"\r\n" not in self._heard:
                got = self._more(until)
                if not got:
                    raise ConnectionError("the answer broke off")
                self._heard += got
            size_text, _, self._heard = self._heard.partition(b"\r\n")
            size = int(size_text.split(b";")[0], 16)
            parts.append(self._take(size, until))
            if size == 0:
                while b"\r\n" not in self._heard:     # trailers are not expected; the empty line ends it
                    self._heard += self._more(until) or b"\r\n"
                self._heard = self._heard.partition(b"\r\n")[2]
                return b"".join(parts)
            self._take(2, until)

    def drop(self) -> None:
        """Close the connection; the next question opens a new one."""
        self._heard = b""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
