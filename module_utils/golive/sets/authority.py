"""A certificate authority as a pair of files on the controller: loaded, made for a rehearsal, asked to sign. Never sent to a target."""
from __future__ import annotations

import fcntl
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ..errors import GoliveError
from .atomic import write_file

BACKDATED = timedelta(minutes=5)    # a host whose clock is a little late must not refuse a new certificate


@dataclass(frozen=True)
class Authority:
    """A loaded authority."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> str:
        """Return the certificate that the others trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def ends_within(self, span: timedelta) -> bool:
        """Return whether the authority itself is about to end."""
        return self.certificate.not_valid_after_utc - datetime.now(timezone.utc) < span

    def sign(self, public_key: str, names: Sequence[str], days: float) -> str:
        """Return a server certificate (PEM) for a public key. It never outlives the authority. The names are ours, not the host's."""
        key: Any = serialization.load_pem_public_key(public_key.encode())
        now = datetime.now(timezone.utc)
        end = min(now + timedelta(days=days), self.certificate.not_valid_after_utc)
        built = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - BACKDATED, self.certificate.not_valid_before_utc))
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
        return built.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def load(certificate: Path, key: Path) -> Authority | None:
    """Return the authority of two files, None if there is none. Raises GoliveError if they cannot be used."""
    if not certificate.exists():
        return None     # a key alone is what a crash left in `ensure`
    try:
        if key.stat().st_mode & 0o077:
            raise GoliveError("the authority's key may be read by others", where=str(key), todo="chmod 600 it, and think about a new one")
        secret: Any = serialization.load_pem_private_key(key.read_bytes(), password=None)
        public = x509.load_pem_x509_certificate(certificate.read_bytes())
    except OSError as exc:
        raise GoliveError("the authority cannot be read", where=exc.filename, found=exc.strerror) from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise GoliveError("the authority is not a PEM certificate and key without password", where=str(certificate)) from None
    if secret.public_key() != public.public_key():
        raise GoliveError("the authority's certificate and key do not belong together", where=str(certificate))
    return Authority(public, secret)


def ensure(certificate: Path, key: Path, name: str, days: float) -> Authority:
    """Return the authority, made anew if there is none or it is about to end. Several hosts may ask at once."""
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(key.parent / ".authority.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = load(certificate, key)
        if found is not None and not found.ends_within(timedelta(days=days) / 3):
            return found
        made = _make(name, days)
        encryption = serialization.NoEncryption()
        secret = made.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        if certificate.exists():
            os.unlink(certificate)      # a crash between the two writes must leave a pair that is refused, not one that is half new
        write_file(str(key), secret, mode=0o600)
        write_file(str(certificate), made.pem.encode(), mode=0o644)
        return made


def _make(name: str, days: float) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "golive"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    usage = x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
                          data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return Authority(built.sign(key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
