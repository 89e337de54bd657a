#!/usr/bin/env python3
"""Where a rehearsal's alerts arrive: takes them as a person's channel would, over TLS with a bearer token, and tells what arrived.

`POST /alerts` takes Alertmanager's webhook (`{"alerts": [...]}`) and its API form (a list, which the kill switch sends by itself).
`GET /received` answers `{"alerts": [{received (UTC), channel, status, name, annotations}]}`, the oldest first.
What was acknowledged is on disk. One file, standard library only, Python 3.9+.
"""
from __future__ import annotations

import hmac
import json
import os
import socket
import ssl
import sys
import threading
import time
from collections import OrderedDict, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Deque, Dict, List, Optional

BODY_CAP, TIMEOUT_S = 1 << 18, 10
# Kept by name: a watchdog each minute, or a storm of one alert, must not push out the one message that somebody looks for.
NAMES, PER_NAME, TEXT_CAP, ANNOTATIONS = 100, 20, 500, 8


class Inbox:
    """What arrived: the newest 20 of each of the newest 100 names, in memory and in `path`."""

    def __init__(self, token: str, path: str) -> None:
        """Raises ValueError for a token that anybody could guess, or a file that this program did not write."""
        if len(token) < 16:
            raise ValueError("the token has fewer than 16 characters")
        self.token, self._path = token, path
        self._names: OrderedDict[str, Deque[Dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()
        if os.path.exists(path):
            with open(path, encoding="utf-8") as handle:
                for one in json.load(handle)["alerts"]:
                    self._keep(one)

    def take(self, body: bytes) -> int:
        """Keep the alerts of a message, on disk before the answer, and return how many they were. Raises ValueError for another form."""
        message = json.loads(body)
        channel = "alertmanager" if isinstance(message, dict) else "direct"
        alerts = message.get("alerts") if isinstance(message, dict) else message
        if not isinstance(alerts, list) or not all(isinstance(one, dict) and isinstance(one.get("labels"), dict) for one in alerts):
            raise ValueError("no alerts")
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with self._lock:
            for one in alerts:
                self._keep({"received": now, "channel": channel, "status": _text(one.get("status", "firing")),
                            "name": _text(one["labels"].get("alertname", "")), "annotations": _annotations(one.get("annotations"))})
            self._write()
        return len(alerts)

    def received(self) -> List[Dict[str, Any]]:
        """Return what is kept, the oldest first."""
        with self._lock:
            return self._all()

    def _keep(self, one: Dict[str, Any]) -> None:
        self._names.setdefault(one["name"], deque(maxlen=PER_NAME)).append(one)
        self._names.move_to_end(one["name"])
        while len(self._names) > NAMES:
            self._names.popitem(last=False)

    def _all(self) -> List[Dict[str, Any]]:
        return sorted((one for kept in self._names.values() for one in kept), key=lambda one: str(one["received"]))

    def _write(self) -> None:
        draft = self._path + ".new"
        with open(draft, "w", encoding="utf-8") as handle:
            json.dump({"alerts": self._all()}, handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(draft, self._path)
        folder = os.open(os.path.dirname(self._path), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _text(value: Any) -> str:
    # A lone surrogate is legal JSON and cannot be written: what arrives hostile must not stop what arrives next.
    return str(value)[:TEXT_CAP].encode("utf-8", "replace").decode("utf-8")


def _annotations(value: Any) -> Dict[str, str]:
    return {_text(name): _text(text) for name, text in list(value.items())[:ANNOTATIONS]} if isinstance(value, dict) else {}


class Server(ThreadingHTTPServer):
    """A server that tells of a broken connection in one line."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Name the kind of trouble: a peer without TLS, or one that hung up."""
        del request
        kind = sys.exc_info()[0]
        sys.stderr.write("%s: %s\n" % (client_address[0], kind.__name__ if kind else "no reason"))


class Handler(BaseHTTPRequestHandler):
    """One request; `inbox` is set by `serve`."""

    inbox: Inbox
    timeout = TIMEOUT_S
    server_version, sys_version = "golive-alert-receiver", ""

    def do_POST(self) -> None:
        """Take alerts."""
        if not self._allowed() or self.path != "/alerts":
            return self._refuse()
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            return self._answer(411, {"error": "give the length of the message"})
        if not 0 <= length <= BODY_CAP:
            return self._answer(413, {"error": "a message has at most %d bytes" % BODY_CAP})
        try:
            return self._answer(200, {"taken": self.inbox.take(self.rfile.read(length))})
        except (ValueError, RecursionError):
            return self._answer(400, {"error": "the message holds no alerts"})
        except OSError as exc:  # not kept is not received: who sent it tries again
            return self._answer(503, {"error": "the message could not be kept: %s" % exc.strerror})

    def do_GET(self) -> None:
        """Tell what arrived."""
        if not self._allowed() or self.path != "/received":
            return self._refuse()
        return self._answer(200, {"alerts": self.inbox.received()})

    def _allowed(self) -> bool:
        given = self.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        return hmac.compare_digest(given, b"Bearer " + self.inbox.token.encode("utf-8"))

    def _refuse(self) -> None:
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


def serve(inbox: Inbox, host: str, port: int) -> Server:
    """Return a server that is bound and not yet started."""
    return Server((host, port), type("Bound", (Handler,), {"inbox": inbox}))


def ready(address: Optional[str]) -> None:
    """Tell systemd that the port is bound; nothing without systemd."""
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.sendto(b"READY=1", "\0" + address[1:] if address.startswith("@") else address)


def main() -> int:
    """`alert_receiver.py PORT`: token, certificate and private_key come as systemd credentials."""
    place, state = os.environ["CREDENTIALS_DIRECTORY"], os.path.join(os.environ["STATE_DIRECTORY"], "received.json")
    try:
        with open(os.path.join(place, "token"), encoding="ascii") as handle:
            inbox = Inbox(handle.read().strip(), state)
    except (ValueError, KeyError, TypeError) as exc:  # a file of another form is not silently replaced: it is evidence
        sys.stderr.write("cannot start: token or %s: %s\n" % (state, exc if type(exc) is ValueError else "not what this program wrote"))
        return 1
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.path.join(place, "certificate"), os.path.join(place, "private_key"))
    server = serve(inbox, "0.0.0.0", int(sys.argv[1]))  # noqa: S104 (the firewall and the token say who may)
    # The handshake happens in the request's own thread: a silent peer must not hold the others.
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    ready(os.environ.get("NOTIFY_SOCKET"))
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
