"""A venue on a real TLS socket: plays one scripted answer a connection, records what it was asked, can misbehave on the wire."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Asked(NamedTuple):
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Play = Callable[[ssl.SSLSocket, Asked], None]


class Pki(NamedTuple):
    ca_file: str
    server: ssl.SSLContext
    expired: ssl.SSLContext
    other_name: ssl.SSLContext


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "golive test"), x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(subject: str, key: Any, issuer: str, signer: Any, ca: bool, days: int, host: str) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=10))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        # Strict verification, the default of Python 3.13, wants both identifiers and an authority that says what it may do.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if ca:
        builder = builder.add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
    if not ca:
        names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)]
        if host == "localhost":
            names += [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())


def make_pki(folder: Path, host: str = "localhost") -> Pki:
    """Make an authority and three certificates; `host` is the name or address of the two that carry the right one."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate("test CA", ca_key, "test CA", ca_key, True, 7, "")
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))

    def context(label: str, days: int, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(label, key, "test CA", ca_key, False, days, host)
        chain = folder / (label + ".pem")
        chain.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + leaf.public_bytes(serialization.Encoding.PEM)
        )
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(chain)
        return made

    return Pki(str(ca_file), context("good", 7, host), context("expired", -1, host), context("other", 7, "elsewhere.test"))


def answer(body: bytes | Any, status: int = 200, headers: dict[str, str] | None = None, mark: bool = True) -> Play:
    """A complete HTTP answer; anything but bytes is written as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json", f"Content-Length: {len(data)}"]
    if mark:
        lines.append("X-Golive-Sandbox: rehearsal")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]

    def play(conn: ssl.SSLSocket, _asked: Asked) -> None:
        conn.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    return play


def raw(data: bytes) -> Play:
    def play(conn: ssl.SSLSocket, _asked: Asked) -> None:
        conn.sendall(data)

    return play


class TlsVenue:
    """Listens on 127.0.0.1; the n-th connection is answered by the n-th play, the last one for ever."""

    def __init__(self, pki: Pki, plays: list[Play], context: ssl.SSLContext | None = None) -> None:
        self.pki, self.asked, self.connections = pki, [], 0  # type: ignore[var-annotated]
        self._plays, self._context = plays, context or pki.server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"https://localhost:{self.port}"
        self.stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    def _serve(self) -> None:
        while not self.stop.is_set():
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            play = self._plays[min(self.connections, len(self._plays) - 1)]
            self.connections += 1
            thread = threading.Thread(target=self._one, args=(conn, play), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, conn: socket.socket, play: Play) -> None:
        with suppress(OSError), conn:
            conn.settimeout(10)
            with self._context.wrap_socket(conn, server_side=True) as secure:
                asked = read_request(secure)
                if asked is not None:
                    self.asked.append(asked)
                    play(secure, asked)

    def close(self) -> None:
        self.stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=10)


def read_request(conn: ssl.SSLSocket) -> Asked | None:
    data = b""
    while b"\r\n\r\n" not in data:
        part = conn.recv(65536)
        if not part:
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += conn.recv(65536)
    method, target, _ = first.split(" ", 2)
    return Asked(method, target, headers, body)


@contextmanager
def venue(pki: Pki, *plays: Play, context: ssl.SSLContext | None = None) -> Iterator[TlsVenue]:
    made = TlsVenue(pki, list(plays), context)
    try:
        yield made
    finally:
        made.close()
