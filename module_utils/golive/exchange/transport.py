"""One HTTPS request with a hard deadline: verified TLS, no redirects, no environment proxies, capped body, said trouble.

http.client parses the answer; connecting, the handshake and every single read are bounded by the one deadline, so that a
server that drips a byte a second cannot hold the caller.
"""

from __future__ import annotations

import http.client
import io
import os
import re
import socket
import ssl
import threading
import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from ..errors import GoliveError
from .model import Answer, Request

BODY_CAP = 256 * 1024  # the largest documented answer (all keys of an HTX account) is below 64 KiB
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+\Z")  # how OpenSSL names certificates in a folder
_AGENT = "golive-exchange-key/1"


class Trouble(Exception):
    """No usable HTTP answer. `str()` is one clause without secrets; `again` says whether trying once more can help."""

    def __init__(self, what: str, again: bool) -> None:
        super().__init__(what)
        self.what, self.again = what, again


class Peer(NamedTuple):
    """Who answered: the name asked, the address it resolved to ("" behind a proxy), the issuer of its certificate."""

    host: str
    address: str
    issuer: str


class Endpoint(NamedTuple):
    """Where to ask and how to get there. `proxy` is "" or `host:port` of a CONNECT proxy without a password."""

    host: str
    port: int = 443
    ca_file: str = ""
    proxy: str = ""
    family: int = 0  # of the address: 0 any, or socket.AF_INET or AF_INET6


def endpoint(url: str, ca_file: str = "", proxy: str = "") -> Endpoint:
    """Return the endpoint of `https://host[:port]`. Raises GoliveError for http, user names, paths and queries."""
    from urllib.parse import urlsplit  # noqa: PLC0415

    try:
        parts = urlsplit(url if "://" in url else "https://" + url)
        port, proxy_parts = parts.port or 443, urlsplit(proxy if "://" in proxy else "http://" + proxy)
        proxy_port = proxy_parts.port or 3128
    except ValueError:
        raise GoliveError("not an address", where="base_url or proxy", expected="https://host[:port]") from None
    if parts.scheme != "https":
        raise GoliveError("only https is asked, a signed request never travels in clear", where="base_url", expected="https://host[:port]")
    if not parts.hostname or "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise GoliveError("has more or less than a host and a port", where="base_url", expected="https://host[:port]")
    if proxy and ("@" in proxy or proxy_parts.scheme != "http" or not proxy_parts.hostname):
        raise GoliveError(
            "only a plain CONNECT proxy without a password can be used",
            where="proxy",
            expected="http://host[:port]",
            todo="give the proxy access by address instead",
        )
    return Endpoint(parts.hostname, port, ca_file, "%s:%d" % (proxy_parts.hostname, proxy_port) if proxy else "")


class _TimedRaw(io.RawIOBase):
    """Reads a socket; each read may take what is left until the deadline, not a fresh timeout."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)


class _TimedSocket:
    """What http.client.HTTPResponse needs of a socket."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, *_args: Any, **_kwargs: Any) -> io.BufferedReader:
        return io.BufferedReader(_TimedRaw(self._sock, self._deadline))


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("deadline")
    return left


def resolve(host: str, port: int, deadline: float, family: int = 0) -> List[Tuple[Any, ...]]:
    """Return getaddrinfo's answers. The resolver has no timeout of its own, so it runs beside us and may be left behind."""
    box: Dict[str, Any] = {}

    def work() -> None:
        try:
            box["found"] = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            box["error"] = exc

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_left(deadline))
    if "found" in box:
        return list(box["found"])
    if "error" in box:
        raise Trouble("the name %s does not resolve (%s)" % (host, _clause(box["error"])), again=True)
    raise Trouble("the name %s did not resolve in time" % host, again=False)


def _clause(exc: BaseException) -> str:
    text = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return text.split("\n", 1)[0][:120]


class Transport:
    """Sends requests to one endpoint. Every send opens a connection of its own and closes it."""

    def __init__(self, where: Endpoint) -> None:
        self.where = where
        self._context = _tls(where.ca_file)

    def addresses(self, deadline: float) -> List[str]:
        """Return the addresses that the host's name resolves to, [] behind a proxy (the proxy resolves). Raises Trouble."""
        if self.where.proxy:
            return []
        return sorted({str(found[4][0]) for found in resolve(self.where.host, self.where.port, deadline)})

    def send(self, request: Request, deadline: float) -> Tuple[Answer, Peer]:
        """Send and return the answer with who gave it. Raises Trouble; never an exception that quotes the request."""
        try:
            return self._send(request, deadline)
        except Trouble:
            raise
        except ssl.SSLCertVerificationError as exc:
            raise Trouble("the certificate of %s is not valid: %s" % (self.where.host, exc.verify_message), again=False) from None
        except ssl.SSLError as exc:
            raise Trouble("TLS with %s failed: %s" % (self.where.host, (exc.reason or "no reason given")), again=True) from None
        except socket.timeout:
            raise Trouble("%s gave no answer before the deadline" % self.where.host, again=False) from None
        except http.client.HTTPException as exc:
            raise Trouble("%s answered something that is not HTTP (%s)" % (self.where.host, type(exc).__name__), again=True) from None
        except (OSError, ValueError) as exc:
            raise Trouble(
                "no connection to %s: %s" % (self.where.host, _clause(exc) if isinstance(exc, OSError) else type(exc).__name__), again=True
            ) from None

    def _send(self, request: Request, deadline: float) -> Tuple[Answer, Peer]:
        sock, address = self._connect(deadline)
        try:
            if self.where.proxy:
                self._tunnel(sock, deadline)
            sock.settimeout(_left(deadline))
            with self._context.wrap_socket(sock, server_hostname=self.where.host) as secure:
                issuer = _issuer(secure)
                secure.settimeout(_left(deadline))
                secure.sendall(self._wire(request))
                return _receive(secure, request.method, deadline), Peer(self.where.host, address, issuer)
        finally:
            sock.close()

    def _connect(self, deadline: float) -> Tuple[socket.socket, str]:
        host, port = self.where.host, self.where.port
        if self.where.proxy:
            host, _, text = self.where.proxy.rpartition(":")
            port = int(text)
        trouble: Optional[OSError] = None
        for family, kind, proto, _name, place in resolve(host, port, deadline, self.where.family):
            sock = socket.socket(family, kind, proto)
            try:
                sock.settimeout(_left(deadline))
                sock.connect(place)
            except OSError as exc:
                sock.close()
                trouble = exc
                continue
            return sock, "" if self.where.proxy else str(place[0])
        raise trouble or OSError("no address")

    def _tunnel(self, sock: socket.socket, deadline: float) -> None:
        place = "%s:%d" % (self.where.host, self.where.port)
        sock.settimeout(_left(deadline))
        sock.sendall(("CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (place, place)).encode("ascii"))
        response = http.client.HTTPResponse(_TimedSocket(sock, deadline), method="CONNECT")  # type: ignore[arg-type]
        response.begin()
        if response.status != 200:
            raise Trouble("the proxy refused the way to %s with HTTP %d" % (self.where.host, response.status), again=False)

    def _wire(self, request: Request) -> bytes:
        name = "[%s]" % self.where.host if ":" in self.where.host else self.where.host
        port = "" if self.where.port == 443 else ":%d" % self.where.port
        lines = [
            "%s %s HTTP/1.1" % (request.method, request.target),
            "Host: %s%s" % (name, port),
            "User-Agent: " + _AGENT,
            "Accept: application/json",
            "Accept-Encoding: identity",
            "Connection: close",
        ]
        lines += ["%s: %s" % item for item in request.headers.items()]
        if request.body or request.method != "GET":
            lines.append("Content-Length: %d" % len(request.body))
        if any("\r" in line or "\n" in line for line in lines):
            raise Trouble("a header would hold a line break; the request was not sent", again=False)
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body


def _tls(ca_file: str) -> ssl.SSLContext:
    # Not create_default_context: that one writes session keys to the file named by SSLKEYLOGFILE.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _trust_the_system(context)
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as exc:  # ssl.SSLError is one
            raise GoliveError(
                "cannot be read as PEM certificates",
                where="ca_file %s" % ca_file,
                found=_clause(exc),
                todo="name a file that holds the extra CA",
            ) from None
    return context


def _trust_the_system(context: ssl.SSLContext) -> None:
    """Trust the host's authorities; from its hashed folder where there is one, which reads one of 140 instead of all (20 ms, 3 MiB)."""
    paths = ssl.get_default_verify_paths()
    if paths.capath and not os.environ.get(paths.openssl_cafile_env):
        try:
            hashed = any(_HASHED.match(name) for name in os.listdir(paths.capath))
        except OSError:
            hashed = False
        if hashed:
            context.load_verify_locations(capath=paths.capath)
            return
    context.load_default_certs()


def _receive(sock: ssl.SSLSocket, method: str, deadline: float) -> Answer:
    response = http.client.HTTPResponse(_TimedSocket(sock, deadline), method=method)  # type: ignore[arg-type]
    try:
        response.begin()
        headers = {name.lower(): value for name, value in response.headers.items()}
        if 300 <= response.status < 400:
            raise Trouble("answered with a redirect (HTTP %d), which is never followed" % response.status, again=False)
        body = response.read(BODY_CAP + 1)
        # http.client reads short without complaint when a length was promised and an amount was asked for.
        promised = headers.get("content-length", "")
        if len(body) <= BODY_CAP and promised.isdigit() and len(body) < int(promised):
            raise Trouble("the connection was cut in the middle of the answer", again=True)
        return Answer(response.status, headers, body[:BODY_CAP], truncated=len(body) > BODY_CAP)
    finally:
        response.close()


def _issuer(sock: ssl.SSLSocket) -> str:
    parts = dict(pair for group in (sock.getpeercert() or {}).get("issuer", ()) for pair in group)  # type: ignore[misc]
    names = [str(parts[name]) for name in ("organizationName", "commonName") if parts.get(name)]
    return ", ".join(names)[:200]
