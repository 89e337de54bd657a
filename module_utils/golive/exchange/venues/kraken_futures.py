"""Kraken futures: GET /api/auth/v1/api-keys/v3/check. Asked without a nonce, which the venue permits, so it costs a bot nothing.

Source: docs.kraken.com, futures REST, "Check v3 API key" (2026). `transfer` at FULL_ACCESS lets funds leave the futures wallet.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, Mapping, Optional

from ..mac import base64_bytes, kraken_mac
from ..model import AMBIGUOUS, BAD_SIGNATURE, NONCE, RATE, RIGHTS, Answer, Credential, IpRule, KeyReport, Refused, Request, Stamp, Venue
from ..reading import code_of, document, field, ip_rule, malformed, mapping, moment_iso, refuse, same_key, text, texts, words_of

PATH = "/api/auth/v1/api-keys/v3/check"
_LEVELS = ("NO_ACCESS", "READ_ONLY", "FULL_ACCESS")
_KINDS = {"authenticationError": BAD_SIGNATURE, "apiLimitExceeded": RATE, "nonceBelowThreshold": NONCE, "nonceDuplicate": NONCE}


class KrakenFutures(Venue):
    """Kraken futures. One answer for wrong key and wrong signature (HTTP 401)."""

    name = "kraken_futures"
    title = "Kraken futures"
    hosts: ClassVar[Mapping[str, str]] = {"production": "futures.kraken.com"}
    markets = ("futures",)

    def flaw(self, credential: Credential) -> Optional[str]:
        size = base64_bytes(credential.secret)
        return None if size and size >= 32 else "the secret is not base64 of 32 bytes or more, as every Kraken secret is"

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        return Request("GET", PATH, {"APIKey": credential.key, "Authent": sign(credential.secret, "", "", PATH)})

    def check(self, answer: Answer) -> None:
        found = mapping(document(answer), "the answer")
        if answer.status == 200 and found.get("result") != "error" and "error" not in found:
            return
        words = words_of(found, "message", "error", "suberror")
        if answer.status == 401:
            raise Refused(AMBIGUOUS, words)
        refuse(_KINDS, code_of(found, "error"), words, answer.status)

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        found = mapping(document(answer), "the answer")
        if not same_key(text(found, "apiKey"), credential.key):
            malformed("the answer is about another key")
        levels = mapping(field(found, "permissions"), "permissions")
        general, transfer = _level(levels, "general"), _level(levels, "transfer")
        added = tuple(sorted(name for name in levels if name not in ("general", "transfer") and levels[name] != "NO_ACCESS"))
        rights: Dict[str, Optional[bool]] = dict.fromkeys(RIGHTS, None if added else False)
        rights.update(read=general != "NO_ACCESS" or transfer != "NO_ACCESS", trade=general == "FULL_ACCESS",
                      withdraw=transfer == "FULL_ACCESS", transfer=transfer == "FULL_ACCESS")  # fmt: skip
        return KeyReport(
            rights=rights, native=("general:" + general, "transfer:" + transfer), unrecognised=added, ip=_ip(found),
            created=moment_iso(text(found, "createdAt"), "createdAt"),
        )  # fmt: skip


def sign(secret: str, post_data: str, nonce: str, path: str) -> str:
    """Return Authent: base64 HMAC-SHA512(base64decode(secret), SHA256(postData + nonce + endpointPath))."""
    return kraken_mac(secret, b"", post_data + nonce + path)


def _level(levels: Mapping[str, Any], name: str) -> str:
    level = text(levels, name)
    if level not in _LEVELS:
        malformed("the level of %s is not one of %s" % (name, ", ".join(_LEVELS)))
    return level


def _ip(found: Mapping[str, Any]) -> IpRule:
    if "allowedCidrBlocks" in found and found["allowedCidrBlocks"] is not None:
        return ip_rule(texts(found, "allowedCidrBlocks"))
    if "allowedCidrBlock" not in found:
        return IpRule("unknown")
    single = found["allowedCidrBlock"]
    return IpRule("open") if single is None else ip_rule([text(found, "allowedCidrBlock")])
