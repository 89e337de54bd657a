"""The TLS door: an expired certificate on demand, and what handshakes tell about bots that hard-code hosts or pin certificates."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench.sandbox_process import Process

from .conftest import eventually

HOSTS = ("api.kraken.com", "sandbox.lab")


class Authority:
    """A lab's authority: issues certificates of a length of life, also of a past one."""

    def __init__(self, directory: Path) -> None:
        self.directory, self._key = directory, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab authority")])
        self.file = directory / "ca.pem"
        made = self._builder(self._name, self._key, 7).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        self.leaf = ec.generate_private_key(ec.SECP256R1())
        (directory / "leaf.key").write_bytes(
            self.leaf.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        start, end = (
            (now - timedelta(hours=1), now + timedelta(days=days)) if days > 0 else (now - timedelta(days=9), now + timedelta(days=days))
        )
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    def issue(self, name: str, days: int) -> Path:
        names = [*(x509.DNSName(host) for host in HOSTS), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "venue")]), self.leaf, days)
        made = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(self._key, hashes.SHA256())
        path = self.directory / name
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        return path


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Process, Authority]]:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        authority = Authority(place)
        good, old = authority.issue("venue.pem", 7), authority.issue("old.pem", -1)
        server = Process(place, False, pairs=["XBTUSDT"], market={"history_min": 5})
        door = {"host": "127.0.0.1", "port": server.port, "certificate": str(good), "private_key": str(place / "leaf.key")}
        server.configure(venue={**door, "expired_certificate": str(old)})
        with server:
            yield server, authority


def _ask(world: tuple[Process, Authority], host: str, cafile: Path | None, verify: bool = True) -> int:
    """One request with a handshake of its own, to a host name that leads here."""
    server, _ = world
    context = ssl.create_default_context(cafile=str(cafile) if cafile else None)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.port), 60) as raw, context.wrap_socket(raw, server_hostname=host) as line:
        line.sendall(("GET /0/public/Time HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host).encode())
        answer = http.client.HTTPResponse(line)
        answer.begin()
        return answer.status


def test_an_expired_certificate_is_shown_on_demand_and_only_then(world: tuple[Process, Authority]) -> None:
    server, authority = world
    assert _ask(world, "sandbox.lab", authority.file) == 200
    cruelty = server.ask("POST", "cruelties", {"name": "certificate_expired", "for_s": 600})
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        _ask(world, "sandbox.lab", authority.file)
    assert _ask(world, "sandbox.lab", None, verify=False) == 200
    server.ask("DELETE", "cruelties/" + cruelty["id"])
    assert _ask(world, "sandbox.lab", authority.file) == 200
    found = server.ask("GET", "hosts")
    assert found["names"]["sandbox.lab"]["unverified"] == 1
    assert any("does not verify" in text for text in found["findings"])


def test_a_hard_coded_host_and_a_client_that_does_not_trust_the_lab_are_reported(world: tuple[Process, Authority]) -> None:
    server, authority = world
    assert _ask(world, "api.kraken.com", authority.file) == 200
    assert any(
        text.startswith("api.kraken.com: a client asks for the venue's own host name") for text in server.ask("GET", "hosts")["findings"]
    )
    with pytest.raises(ssl.SSLCertVerificationError):
        _ask(world, "api.kraken.com", None)
    found = eventually(
        lambda: [text for text in server.ask("GET", "hosts")["findings"] if "pins a certificate" in text and "api.kraken.com" in text],
        "seen",
    )
    assert "1 handshakes were ended by the client" in found[0]


def test_a_pin_that_is_looked_at_behind_the_handshake_is_reported(world: tuple[Process, Authority]) -> None:
    server, authority = world
    assert _ask(world, "sandbox.lab", authority.file) == 200
    before = server.ask("GET", "hosts")["names"]["sandbox.lab"]
    context = ssl.create_default_context(cafile=str(authority.file))
    with socket.create_connection(("127.0.0.1", server.port), 60) as raw, context.wrap_socket(raw, server_hostname="sandbox.lab") as line:
        assert line.getpeercert(True)  # not the one that this client knows: it goes without a word
    found = eventually(lambda: [text for text in server.ask("GET", "hosts")["findings"] if "before its first request" in text], "seen")
    assert found == [
        "sandbox.lab: 1 connections were ended by the client before its first request: it pins a certificate, or only tried the port"
    ]
    after = server.ask("GET", "hosts")["names"]["sandbox.lab"]
    assert (after["silent"], after["ended_by_client"]) == (1, before["ended_by_client"])


def test_without_tls_there_is_no_certificate_to_expire(shared: object) -> None:
    answer = shared.ask("POST", "cruelties", {"name": "certificate_expired"}, 400)  # type: ignore[attr-defined]
    assert "plain HTTP" in answer["error"]
