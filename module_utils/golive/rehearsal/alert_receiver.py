#!/usr/bin/env python3
"""Where a rehearsal's alerts arrive: takes them as a person's channel would, over TLS with a bearer token, and tells what arrived.

`POST /alerts` takes Alertmanager's webhook (`{"alerts": [...]}`) and its API form (a list, which the kill switch sends by itself).
`GET /received` answers `{"alerts": [{received (seconds since 1970), channel, status, name, annotations}]}`, the newest 1,000.
One file, standard library only, Python 3.9+.
"""
from __future__ import annotations

import hmac
import json
import os
import ssl
import sys
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Deque, Dict, List

KEPT, BODY_CAP, TIMEOUT_S = 1000, 1 << 20, 10


class Inbox:
    """What arrived, newest last."""

    def __init__(self, token: str) -> None:
        self.token = token
        self._alerts: Deque[Dict[str, Any]] = deque(maxlen=KEPT)
        self._lock = threading.Lock()

    def take(self, body: bytes) -> int:
        """Keep the alerts of a message and return how many they were. Raises ValueError for another form."""
        message = json.loads(body)
        channel = "alertmanager" if isinstance(message, dict) else "direct"
        alerts = message.get("alerts") if isinstance(message, dict) else message
        if not isinstance(alerts, list) or not all(isinstance(one, dict) and isinstance(one.get("labels"), dict) for one in alerts):
            raise ValueError("no alerts")
        now = time.time()
        with self._lock:
            self._alerts.extend({"received": round(now, 3), "channel": channel, "status": str(one.get("status", "firing")),
                                 "name": str(one["labels"].get("alertname", "")), "annotations": one.get("annotations") or {}}
                                for one in alerts)
        return len(alerts)

    def received(self) -> List[Dict[str, Any]]:
        """Return what is kept."""
        with self._lock:
            return list(self._alerts)


class Handler(BaseHTTPRequestHandler):
    """One request; `inbox` is set by `serve`."""

    inbox: Inbox
    timeout = TIMEOUT_S
    server_version, sys_version = "golive-alert-receiver", ""

    def do_POST(self) -> None:
        """Take alerts."""
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self._answer(411, {"error": "give the length of the message"})
        if not self._allowed() or self.path != "/alerts":
            return self._refuse()
        if not 0 <= length <= BODY_CAP:
            return self._answer(413, {"error": "a message has at most %d bytes" % BODY_CAP})
        try:
            return self._answer(200, {"taken": self.inbox.take(self.rfile.read(length))})
        except (ValueError, RecursionError):
            return self._answer(400, {"error": "the message holds no alerts"})

    def do_GET(self) -> None:
        """Tell what arrived."""
        if not self._allowed() or self.path != "/received":
            return self._refuse()
        return self._answer(200, {"alerts": self.inbox.received()})

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, b"Bearer " + self.inbox.token.encode("utf-8"))

    def _refuse(self) -> None:
        self.close_connection = True
        self._answer(404 if self._allowed() else 401, {"error": "not here" if self._allowed() else "give the token"})

    def _answer(self, status: int, content: Dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # the base class names the argument so
        """Say nothing: what arrived is asked for, and a request line is hostile text."""


def serve(inbox: Inbox, host: str, port: int) -> ThreadingHTTPServer:
    """Return a server that is bound and not yet started."""
    return ThreadingHTTPServer((host, port), type("Bound", (Handler,), {"inbox": inbox}))


def main() -> int:
    """`alert_receiver.py PORT`: token, certificate and private_key come as systemd credentials."""
    place = os.environ["CREDENTIALS_DIRECTORY"]
    with open(os.path.join(place, "token"), encoding="ascii") as handle:
        server = serve(Inbox(handle.read().strip()), "0.0.0.0", int(sys.argv[1]))  # noqa: S104 (the firewall and the token say who may)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(place, "certificate"), os.path.join(place, "private_key"))
    # The handshake happens in the request's own thread: a silent peer must not hold the others.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
