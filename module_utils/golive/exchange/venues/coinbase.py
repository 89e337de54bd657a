"""Coinbase Advanced: GET /api/v3/brokerage/key_permissions, authenticated by a JWT that lives two minutes. No nonce of the key.

Source: docs.cdp.coinbase.com, get-api-key-permissions; token form as coinbase-advanced-py makes it. Key names are
`organizations/{org}/apiKeys/{id}` with an EC key (ES256), or an id with a base64 Ed25519 key (EdDSA). Needs `cryptography`.
"""

from __future__ import annotations

import base64
import json
from typing import Any, ClassVar, Dict, Mapping, Optional

from .. import model as m
from ..asymmetric import is_private_key, pem_flaw, sign_ed25519_seed, sign_es256
from ..mac import base64_bytes
from ..reading import Flags, document, flag_rights, mapping, refuse, words_of

PATH = "/api/v3/brokerage/key_permissions"
_FLAGS: Flags = {
    "can_view": ("read",), "can_trade": ("trade", "trade_elsewhere"), "can_transfer": ("withdraw", "transfer", "deposit", "address_book"),
}  # fmt: skip
_OTHERS = ("portfolio_uuid", "portfolio_type", "can_receive")
_TYPES = ("UNDEFINED", "DEFAULT", "CONSUMER", "INTX")
_KINDS = {
    "PERMISSION_DENIED": m.NO_RIGHT, "UNAUTHENTICATED": m.BAD_KEY, "Unauthorized": m.BAD_KEY, "rate_limit_exceeded": m.RATE,
    "resource_exhausted": m.RATE, "RESOURCE_EXHAUSTED": m.RATE, "INTERNAL": m.SERVICE, "UNAVAILABLE": m.SERVICE,
}  # fmt: skip


class Coinbase(m.Venue):
    """Coinbase Advanced. Tells neither addresses nor times."""

    name = "coinbase"
    title = "Coinbase Advanced"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.coinbase.com"}
    markets = ("any",)
    uses_cryptography = True

    def flaw(self, credential: m.Credential) -> Optional[str]:
        if is_private_key(credential.secret):
            return "the private key is not whole PEM" if pem_flaw(credential.secret) else None
        if base64_bytes(credential.secret) in (32, 64):
            return None
        return "the secret is neither an EC private key in PEM nor base64 of an Ed25519 key (32 or 64 bytes)"

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        token = jwt(credential, "GET %s%s" % (self.hosts[self.environment], PATH), stamp.ms // 1000, stamp.unique)
        return m.Request("GET", PATH, {"Authorization": "Bearer " + token})

    def check(self, answer: m.Answer) -> None:
        if answer.status == 401:  # plain text at this venue
            raise m.Refused(m.AMBIGUOUS, "HTTP 401 " + answer.body[:80].decode("utf-8", "replace"))
        found = mapping(document(answer), "the answer")
        if answer.status != 200 or "error" in found:
            code = found.get("error")
            refuse(_KINDS, code if isinstance(code, str) else "", words_of(found, "message", "error_details"), answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        found = dict(mapping(document(answer), "the answer"))
        if found.get("can_receive") is True:  # told by newer answers only: inbound payments
            flags: Dict[str, Any] = {**_FLAGS, "can_receive": ("deposit",)}
        else:
            flags = dict(_FLAGS)
        rights, native, unrecognised = flag_rights(found, flags, _OTHERS)
        inseparable = ("trade_elsewhere",) if rights["trade"] else ()
        return m.KeyReport(rights=rights, native=native, unrecognised=unrecognised, inseparable=inseparable)


def jwt(credential: m.Credential, uri: str, seconds: int, unique: str) -> str:
    """Return the bearer token for one method and path: ES256 for a PEM key, EdDSA for a base64 one."""
    pem = is_private_key(credential.secret)
    head = {"alg": "ES256" if pem else "EdDSA", "kid": credential.key, "nonce": unique, "typ": "JWT"}
    claims = {"sub": credential.key, "iss": "cdp", "nbf": seconds, "exp": seconds + 120, "uri": uri}
    text = _part(head) + "." + _part(claims)
    signer = sign_es256 if pem else sign_ed25519_seed
    return text + "." + _base64url(signer(credential.secret, text.encode("ascii")))


def _part(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode("utf-8"))


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
