"""Signatures with a private key (Ed25519, ECDSA, RSA), the only thing here that needs the package `cryptography`."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from .model import BAD_FORM, NO_LIBRARY, Refused

PEM_START = "-----BEGIN"


def _need_library() -> None:
    """Make `cryptography` importable, or raise Refused(NO_LIBRARY).

    Probes run with `python3 -ISE`, that is without site-packages; the host's own are added here, and only for these venues.
    """
    try:
        import cryptography  # noqa: PLC0415 (11 MiB that HMAC venues do not pay)
    except ImportError:
        import site  # noqa: PLC0415

        for folder in (*site.getsitepackages(), "/usr/lib/python3/dist-packages"):
            site.addsitedir(folder)
        try:
            import cryptography  # noqa: F401, PLC0415
        except ImportError:
            raise Refused(NO_LIBRARY) from None


def _load(pem: str) -> Any:
    _need_library()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        return load_pem_private_key(pem.encode("utf-8"), password=None)
    except (ValueError, TypeError):  # the library's own text may describe the key
        raise Refused(BAD_FORM) from None


def is_private_key(secret: str) -> bool:
    """Return whether a secret has the form of a private key in PEM."""
    return secret.startswith(PEM_START)


def sign_pem(pem: str, message: bytes) -> bytes:
    """Return the signature by the key's own type: Ed25519, or RSA PKCS#1 v1.5 with SHA-256. Raises Refused(NO_LIBRARY)."""
    key = _load(pem)
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding  # noqa: PLC0415

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    return bytes(key.sign(message, padding.PKCS1v15(), hashes.SHA256()))


def sign_es256(pem: str, message: bytes) -> bytes:
    """Return the JWS ES256 signature: r and s, 32 bytes each. Raises Refused(NO_LIBRARY)."""
    key = _load(pem)
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec, utils  # noqa: PLC0415

    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sign_ed25519_seed(secret: str, message: bytes) -> bytes:
    """Return the Ed25519 signature under base64 of the 32-byte seed, or of seed and public key (64). Raises Refused(NO_LIBRARY)."""
    _need_library()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret)[:32]).sign(message)


def pem_flaw(secret: str) -> bool:
    """Return whether a PEM text is cut or damaged, as far as its frame and base64 tell."""
    lines = [line.strip() for line in secret.strip().splitlines()]
    if len(lines) < 3 or not lines[0].startswith(PEM_START) or not lines[-1].startswith("-----END"):
        return True
    try:
        base64.b64decode("".join(lines[1:-1]), validate=True)
    except (binascii.Error, ValueError):
        return True
    return False
