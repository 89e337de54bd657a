"""TLS as in the lab: both listeners with a certificate of a private authority; nothing speaks plain HTTP there."""

from __future__ import annotations

import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .conftest import Sandbox, eventually


def _certificate(directory: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lab")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = directory / "venue.crt", directory / "venue.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return certificate, private


def test_venue_and_administration_speak_tls_only(make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    plain = make_sandbox()
    plain.stop()
    certificate, private = _certificate(tmp_path)
    settings = json.loads((plain.directory / "config.json").read_text())
    settings["allow_plain_http_on_loopback"] = False
    for name in ("venue", "admin"):
        settings[name].update(certificate=str(certificate), private_key=str(private))
    (plain.directory / "config.json").write_text(json.dumps(settings))
    context = ssl.create_default_context(cafile=str(certificate))

    def ask(url: str) -> bytes:
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + plain.token})
        with urllib.request.urlopen(request, context=context, timeout=10) as answer:
            assert answer.headers["X-Golive-Sandbox"] == "rehearsal"
            return bytes(answer.read())

    plain._up = lambda: True  # type: ignore[method-assign]
    plain.start()

    def up() -> bool:
        try:
            return b"unixtime" in ask(plain.venue.replace("http", "https") + "/0/public/Time")
        except urllib.error.URLError:
            return False

    eventually(up, "the venue answers over TLS")
    assert b"now" in ask(plain.admin.replace("http", "https") + "/sandbox/v1/clock")
    with pytest.raises(OSError):
        urllib.request.urlopen(plain.venue + "/0/public/Time", timeout=10)
