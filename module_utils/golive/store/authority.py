"""The store as a certificate authority: a root and an intermediate whose keys never leave it, made once, renewed before they end."""
from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import hvac
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from ..errors import GoliveError
from .client import said
from .wanted import Wanted

# An authority is renewed when this part of its life is left: what it issues must not outlive it.
RENEW_AT = 0.25
_FIELDS = {"pki_root": {"common_name", "ttl", "key_type", "key_bits", "max_path_length"},
           "pki_intermediate": {"common_name", "ttl", "key_type", "key_bits", "root"}}  # fmt: skip


def current(client: hvac.Client, wanted: Wanted, mounts: list[str]) -> dict[str, dict[str, Any]]:
    """Return the authority of each mount as `pki_root` or `pki_intermediate`, in the fields that are wanted of it."""
    found: dict[str, dict[str, Any]] = {"pki_root": {}, "pki_intermediate": {}}
    for path in mounts:
        mount = path.rstrip("/")
        answer = said(lambda mount=mount: client.list(f"{mount}/issuers"), f"list the issuers of {mount}")  # type: ignore[misc]
        if not answer or not answer["data"]["keys"]:
            continue
        issuer = said(lambda mount=mount: client.read(f"{mount}/issuer/default"), f"read the issuer of {mount}")["data"]  # type: ignore[misc]
        kind = "pki_intermediate" if mount in wanted.things.get("pki_intermediate", {}) else "pki_root"
        found[kind][mount] = _told(issuer["certificate"])
    return {kind: objects for kind, objects in found.items() if objects}


def make(client: hvac.Client, kind: str, mount: str, body: Mapping[str, Any]) -> None:
    """Make the authority of a mount, or a new one that takes the place of the old as issuer; old ones stay to be trusted until they end."""
    unknown = set(body) - _FIELDS[kind]
    if unknown or "common_name" not in body or (kind == "pki_intermediate" and "root" not in body):
        raise GoliveError(f"{kind} {mount} is not described", found=", ".join(sorted(unknown)) or "fields are missing",
                          expected=", ".join(sorted(_FIELDS[kind])))
    asked = {name: value for name, value in body.items() if name != "root"}
    if kind == "pki_root":
        made = said(lambda: client.write_data(f"{mount}/root/generate/internal", data=asked), f"make the root of {mount}")["data"]
        issuer = made["issuer_id"]
    else:
        request = said(lambda: client.write_data(f"{mount}/intermediate/generate/internal", data=asked), f"ask for a key of {mount}")
        to_sign = {"csr": request["data"]["csr"], "common_name": body["common_name"], "ttl": body.get("ttl", ""), "format": "pem_bundle"}
        signed = said(lambda: client.write_data(f"{body['root']}/root/sign-intermediate", data=to_sign), f"sign the authority of {mount}")
        chain = "\n".join([signed["data"]["certificate"], *(signed["data"].get("ca_chain") or [])])
        taken = said(lambda: client.write_data(f"{mount}/intermediate/set-signed", data={"certificate": chain}), f"set up {mount}")
        issuer = next(one for one, key in (taken["data"].get("mapping") or {}).items() if key)
    said(lambda: client.write_data(f"{mount}/config/issuers", data={"default": issuer, "default_follows_latest_issuer": False}),
         f"choose the issuer of {mount}")


def _told(pem: str) -> dict[str, Any]:
    """Return what a certificate says of its authority; one that ends soon has another name than any that could be wanted."""
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    whole = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    name = str(names[0].value) if names else ""
    if left < whole * RENEW_AT:
        name += f" (ends {certificate.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ})"
    key = certificate.public_key()
    kind = "rsa" if isinstance(key, rsa.RSAPublicKey) else "ec" if isinstance(key, ec.EllipticCurvePublicKey) else "ed25519"
    return {"common_name": name, "key_type": kind, "key_bits": getattr(key, "key_size", 0)}
