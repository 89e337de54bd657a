"""The TLS door of the venue: which names clients ask for, whose handshakes end early, and the certificate they are shown.

A bot that cannot be pointed here by a base URL comes by DNS, with the venue's own host name. One that pins a certificate, or does not
trust the lab's authority, ends the handshake, or (most pins are looked at after it) the connection before its first request: it is seen
here although it never sends one. One that goes on although it was shown an expired certificate does not verify certificates at all.
"""

from __future__ import annotations

import ssl
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from .errors import SandboxError

MOST_NAMES, MOST_SOURCES = 500, 50
#: the venues' own host names: who asks for one of these has it hard-coded, or was pointed here by DNS
VENUE_HOSTS = (
    "api.kraken.com",
    "ws.kraken.com",
    "ws-auth.kraken.com",
    "ws-l3.kraken.com",
    "api.binance.com",
    "api1.binance.com",
    "api2.binance.com",
    "api3.binance.com",
    "api4.binance.com",
    "api-gcp.binance.com",
    "stream.binance.com",
    "ws-api.binance.com",
    "fapi.binance.com",
    "fstream.binance.com",
    "ws-fapi.binance.com",
    "dapi.binance.com",
    "data-api.binance.vision",
    "data-stream.binance.vision",
)


@dataclass
class Door:
    """What happened under one host name."""

    handshakes: int = 0
    connections: int = 0
    sources: set[str] = field(default_factory=set)
    #: connections that were made although the certificate shown had expired
    unverified: int = 0
    #: connections that ended before a byte of a request came
    silent: int = 0

    @property
    def ended(self) -> int:
        return max(0, self.handshakes - self.connections)


class Doors:
    """Watches the handshakes of one listener."""

    def __init__(self) -> None:
        self._names: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self.by_name: dict[str, Door] = {}
        self._open: dict[Any, Door] = {}
        self._expired: Optional[ssl.SSLContext] = None
        #: the expired certificate is shown while this is true
        self.is_expired: Callable[[], bool] = lambda: False

    def _door(self, name: str) -> Door:
        if name not in self.by_name and len(self.by_name) >= MOST_NAMES:
            name = "other"
        return self.by_name.setdefault(name, Door())

    def watch(self, context: ssl.SSLContext, certificate: str, private_key: str, expired: Optional[str]) -> None:
        """Count the handshakes of a context. Raises SandboxError when no expired certificate can be made."""
        self._expired = _expired_context(certificate, private_key, expired)

        def asked(connection: ssl.SSLObject, name: Optional[str], _: ssl.SSLContext) -> None:
            shown = (name or "(none)").lower()[:255]
            self._names[connection] = shown
            self._door(shown).handshakes += 1
            if self._expired is not None and self.is_expired():
                connection.context = self._expired

        context.sni_callback = asked

    def made(self, line: Any, transport: Any) -> None:
        """A handshake was completed; `line` is the connection that it led to."""
        connection = transport.get_extra_info("ssl_object")
        if connection is None:
            return
        door = self._door(self._names.get(connection, "(none)"))
        door.connections += 1
        peer = transport.get_extra_info("peername")
        if peer and len(door.sources) < MOST_SOURCES:
            door.sources.add(str(peer[0]))
        if self._expired is not None and connection.context is self._expired:
            door.unverified += 1
        self._open[line] = door

    def ended(self, line: Any, heard: bool) -> None:
        """A connection has ended; `heard`: something was sent on it."""
        door = self._open.pop(line, None)
        if door is not None and not heard:
            door.silent += 1

    def report(self) -> dict[str, Any]:
        """Return per name what was seen, and findings in one sentence each."""
        rows, findings = {}, []
        for name, door in sorted(self.by_name.items()):
            rows[name] = {
                "handshakes": door.handshakes,
                "connections": door.connections,
                "ended_by_client": door.ended,
                "unverified": door.unverified,
                "silent": door.silent,
                "sources": sorted(door.sources),
            }
            if name in VENUE_HOSTS:
                findings.append("%s: a client asks for the venue's own host name; it is hard-coded there, or DNS points here" % name)
            if door.ended:
                findings.append(
                    "%s: %d handshakes were ended by the client: it pins a certificate, or does not trust the lab's authority"
                    % (name, door.ended)
                )
            if door.silent:
                findings.append(
                    "%s: %d connections were ended by the client before its first request: it pins a certificate, or only tried the port"
                    % (name, door.silent)
                )
            if door.unverified:
                findings.append(
                    "%s: %d connections in spite of an expired certificate: the client does not verify" % (name, door.unverified)
                )
        return {"names": rows, "findings": findings}


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _expired_context(certificate: str, private_key: str, expired: Optional[str]) -> Optional[ssl.SSLContext]:
    """Return a context with an expired certificate: the one configured (issued by the lab's authority), or one signed by the key itself."""
    if expired is not None:
        try:
            return _context(Path(expired), Path(private_key))
        except (OSError, ssl.SSLError) as exc:
            raise SandboxError("%s: the expired certificate cannot be used: %s" % (expired, getattr(exc, "reason", None) or exc)) from None
    try:
        present = x509.load_pem_x509_certificate(Path(certificate).read_bytes())
        key = serialization.load_pem_private_key(Path(private_key).read_bytes(), None)
        end = datetime.now(UTC) - timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(present.subject)
            .issuer_name(present.issuer)
            .public_key(present.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=90))
            .not_valid_after(end)
        )
        for extension in present.extensions:
            if isinstance(extension.value, (x509.SubjectAlternativeName, x509.BasicConstraints)):
                builder = builder.add_extension(extension.value, extension.critical)
        made = builder.sign(key, hashes.SHA256())  # type: ignore[arg-type]  # Why: certificates here have EC, RSA or Ed25519 keys
        with tempfile.NamedTemporaryFile(suffix=".pem") as handle:
            handle.write(made.public_bytes(serialization.Encoding.PEM))
            handle.flush()
            return _context(Path(handle.name), Path(private_key))
    except (OSError, ValueError, TypeError, ssl.SSLError):
        return None
