"""Kraken spot: POST /0/private/GetApiKeyInfo, which needs no right and tells everything. It spends a nonce of the key.

Source: docs.kraken.com, api-reference/account-data/get-api-key-info (2026); error strings: "Spot errors" of the same site.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import ClassVar, Optional, Tuple
from urllib.parse import urlencode

from ..mac import base64_bytes, kraken_mac
from ..model import (
    AMBIGUOUS,
    BAD_KEY,
    BAD_SIGNATURE,
    LOCKED,
    NEVER,
    NONCE,
    RATE,
    SERVICE,
    UNKNOWN_ERROR,
    Answer,
    Credential,
    KeyReport,
    Refused,
    Request,
    Stamp,
    Venue,
    rights,
)
from ..reading import document, field, ip_rule, malformed, mapping, moment_s, same_key, text, texts, whole

PATH = "/0/private/GetApiKeyInfo"

# The whole documented vocabulary; create-ws-token opens the trading WebSocket and grants nothing by itself.
_RIGHTS = {
    "query-funds": "read",
    "query-open-trades": "read",
    "query-closed-trades": "read",
    "query-ledger": "read",
    "export-data": "read",
    "create-ws-token": "",
    "modify-trades": "trade",
    "close-trades": "cancel",
    "withdraw-funds": "withdraw",
    "add-withdraw-address": "address_book",
    "update-withdraw-address": "address_book",
    "add-funds": "deposit",
    "earn-funds": "earn",
}

_ERRORS: Tuple[Tuple[str, str], ...] = (
    ("EAPI:Invalid key", BAD_KEY),
    ("EAPI:Invalid signature", BAD_SIGNATURE),
    ("EAPI:Invalid nonce", NONCE),
    ("EGeneral:Permission denied", AMBIGUOUS),
    ("EGeneral:Temporary lockout", LOCKED),
    ("EAPI:Rate limit exceeded", RATE),
    ("EOrder:Rate limit exceeded", RATE),
    ("EGeneral:Too many requests", RATE),
    ("EService:Throttled", RATE),
    ("EService:", SERVICE),
    ("EGeneral:Internal error", SERVICE),
)
_NO_RIGHT_NEEDED = "this question needs no right, so look first whether this host's address is on the key's list"
_LOCKOUT = timedelta(minutes=15)  # documented as "about 15 minutes"; every further attempt prolongs it


class Kraken(Venue):
    """Kraken spot (and margin: Kraken has no right of its own for it)."""

    name = "kraken"
    title = "Kraken spot"
    hosts: ClassVar = {"production": "api.kraken.com"}
    spends_nonce = True
    vocabulary = tuple(_RIGHTS)

    def flaw(self, credential: Credential) -> Optional[str]:
        size = base64_bytes(credential.secret)
        if size is None:
            return "the secret is not base64, as every Kraken secret is (were key and secret swapped or cut?)"
        return None if size >= 32 else "the secret holds %d bytes, a Kraken secret holds 64 (was it cut?)" % size

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        nonce = str(stamp.nonce)
        body = urlencode({"nonce": nonce})
        return Request(
            "POST",
            PATH,
            {
                "API-Key": credential.key,
                "API-Sign": sign(credential.secret, PATH, nonce, body),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body.encode("ascii"),
        )

    def check(self, answer: Answer) -> None:
        found = mapping(document(answer), "the answer")
        errors = texts(found, "error")
        if not errors:
            if answer.status != 200:
                raise Refused(SERVICE if answer.status >= 500 else UNKNOWN_ERROR, "HTTP %d" % answer.status)
            return
        words = "; ".join(errors)
        for start, kind in _ERRORS:
            if any(error.startswith(start) for error in errors):
                raise Refused(kind, words, _until(kind, words), _NO_RIGHT_NEEDED if kind == AMBIGUOUS else "")
        raise Refused(UNKNOWN_ERROR, words)

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        found = mapping(field(mapping(document(answer), "the answer"), "result"), "result")
        if not same_key(text(found, "apiKey"), credential.key):
            malformed("the answer is about another key")
        names = texts(found, "permissions")
        unrecognised = tuple(sorted(set(names) - set(_RIGHTS)))
        granted = [_RIGHTS[name] for name in names if name in _RIGHTS]
        # WalletTransfer (spot to the owner's futures wallet) needs "Funds permissions - Query" only, says its document.
        inseparable = ("transfer",) if "query-funds" in names else ()
        expires = whole(found, "validUntil")
        last_used = found.get("lastUsed")
        return KeyReport(
            rights=rights([*granted, *inseparable], complete=True, unrecognised=unrecognised),
            inseparable=inseparable,
            native=tuple(sorted(set(names) & set(_RIGHTS))),
            unrecognised=unrecognised,
            ip=ip_rule(texts(found, "ipAllowlist")),
            created=moment_s(whole(found, "createdTime"), "createdTime"),
            modified=moment_s(whole(found, "modifiedTime"), "modifiedTime") if "modifiedTime" in found else None,
            expires=NEVER if expires == 0 else moment_s(expires, "validUntil"),
            last_used=None if last_used is None else moment_s(whole(found, "lastUsed"), "lastUsed"),
            nonce_window=whole(found, "nonceWindow"),
            highest_nonce=whole(found, "nonce"),
        )


def sign(secret: str, path: str, nonce: str, body: str) -> str:
    """Return API-Sign: base64 HMAC-SHA512(base64decode(secret), path + SHA256(nonce + body))."""
    return kraken_mac(secret, path.encode("ascii"), nonce + body)


def _until(kind: str, words: str) -> Optional[datetime]:
    now = datetime.now(timezone.utc)
    if kind == LOCKED:
        return now + _LOCKOUT
    throttled = re.search(r"EService:Throttled: ?(\d{10})\b", words)
    return moment_s(int(throttled.group(1)), "Throttled") if throttled else None
