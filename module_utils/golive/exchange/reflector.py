"""Answers every caller with the address it is seen with, over TLS: python -m golive.exchange.reflector --certificate C --private-key K.

Runs on a host outside of the bot's network, for `egress_seen_by`. It keeps nothing, logs nothing and knows no secret but its TLS key.
"""

from __future__ import annotations

import argparse
import http.server
import ipaddress
import json
import socket
import ssl
import sys
from typing import Any, Sequence

PATIENCE_S = 5.0


class Reflector(http.server.BaseHTTPRequestHandler):
    """GET / -> {"ip": "…"}."""

    timeout = PATIENCE_S
    server_version = "reflector"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the peer's address; an IPv4 one that came over an IPv6 socket is said as IPv4."""
        address = ipaddress.ip_address(self.client_address[0].split("%", 1)[0])
        told = getattr(address, "ipv4_mapped", None) or address
        body = json.dumps({"ip": str(told)}).encode("ascii")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: Any) -> None:
        """Keep no record of who asked."""


class Server(http.server.ThreadingHTTPServer):
    """Handshakes in the thread of the connection, so that a silent caller holds up nobody."""

    daemon_threads = True

    def __init__(self, host: str, port: int, certificate: str, private_key: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, private_key)
        super().__init__((host, port), Reflector)

    def server_bind(self) -> None:
        """Listen for both families on an IPv6 wildcard."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Speak TLS, then HTTP."""
        request.settimeout(PATIENCE_S)
        try:
            with self._context.wrap_socket(request, server_side=True) as secure:
                Reflector(secure, client_address, self)
        except OSError:
            return  # a caller that does not speak TLS, or went away


def main(argv: Sequence[str]) -> int:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="golive-reflector", description=__doc__)
    parser.add_argument("--host", default="::", help="address to listen on (default: :: for both families)")
    parser.add_argument("--port", type=int, default=9444)
    parser.add_argument("--certificate", required=True, help="PEM chain")
    parser.add_argument("--private-key", required=True, help="PEM key")
    given = parser.parse_args(list(argv))
    try:
        server = Server(given.host, given.port, given.certificate, given.private_key)
    except OSError as exc:  # ssl.SSLError is one
        sys.stderr.write("cannot serve on %s port %d: %s\n" % (given.host, given.port, exc.strerror or "certificate or key is not usable"))
        return 1
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
