"""Deribit: public/auth with client_signature, so that the secret is never sent; the granted scope is in the answer. No nonce history.

Source: docs.deribit.com, public-auth and access scope. The session token in the answer is dropped unread. No narrower scope is
asked for: that would hide rights. private/list_api_keys returns secrets and is never called.
"""

from __future__ import annotations

import re
from typing import ClassVar, Dict, List, Mapping, Tuple
from urllib.parse import urlencode

from .. import model as m
from ..mac import mac_hex
from ..reading import code_of, document, field, malformed, mapping, refuse, text, words_of

PATH = "/api/v2/public/auth"
_AREAS: Dict[str, Tuple[str, ...]] = {
    "trade": ("trade",), "wallet": ("withdraw", "address_book", "transfer", "deposit"), "account": ("manage",),
    "block_trade": ("trade_elsewhere",), "block_rfq": ("trade_elsewhere",), "custody": ("transfer",),
}  # fmt: skip
_ALWAYS_SAID = ("trade", "wallet", "account")  # the other areas are left out where they are not granted
_PLAIN = ("mainaccount", "connection")
_WITH_VALUE = ("session", "expires", "ip", "name")
_KINDS = {
    "13004": m.BAD_KEY, "13009": m.BAD_SIGNATURE, "13021": m.NO_RIGHT, "10000": m.BAD_KEY, "10028": m.RATE, "9999": m.NO_RIGHT,
    "10047": m.RATE, "11051": m.SERVICE, "13028": m.SERVICE,
}  # fmt: skip


class Deribit(m.Venue):
    """Deribit."""

    name = "deribit"
    title = "Deribit"
    hosts: ClassVar[Mapping[str, str]] = {"production": "www.deribit.com", "testnet": "test.deribit.com"}
    markets = ("any",)
    vocabulary = tuple("%s:%s" % (area, level) for area in _AREAS for level in ("read", "read_write"))

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        nonce = stamp.unique[:16]
        query = urlencode({
            "grant_type": "client_signature", "client_id": credential.key, "timestamp": stamp.ms, "nonce": nonce, "data": "",
            "signature": sign(credential.secret, str(stamp.ms), nonce, ""),
        })  # fmt: skip
        return m.Request("GET", PATH + "?" + query, {})

    def check(self, answer: m.Answer) -> None:
        found = mapping(document(answer), "the answer")
        if "error" in found or answer.status != 200:
            error = found.get("error")
            error = error if isinstance(error, dict) else {}
            data = error.get("data")
            reason = words_of(data, "reason") if isinstance(data, dict) else ""
            refuse(_KINDS, code_of(error, "code"), ("%s %s" % (words_of(error, "message"), reason)).strip(), answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        result = mapping(field(mapping(document(answer), "the answer"), "result"), "result")
        levels: Dict[str, str] = {}
        unrecognised: List[str] = []
        for word in text(result, "scope").split():
            area, _, level = word.partition(":")
            if area in _AREAS and level in ("read", "read_write", "none"):
                if area in levels:
                    malformed("an area of the scope is listed twice")
                levels[area] = level
            elif word not in _PLAIN and area not in _WITH_VALUE and level != "none":
                # A name with a value could hold anything; only words of the scope's own form are repeated.
                unrecognised.append(word if re.match(r"[a-z_]{1,30}(:[a-z_]{1,30})?\Z", word) else "a word of unknown form")
        granted: List[str] = []
        for area, level in levels.items():
            granted += ["read"] if level != "none" else []
            granted += _AREAS[area] if level == "read_write" else ()
        rights = m.rights(granted, complete=all(area in levels for area in _ALWAYS_SAID), unrecognised=tuple(unrecognised))
        return m.KeyReport(
            rights=rights, native=tuple(sorted("%s:%s" % item for item in levels.items() if item[1] != "none")),
            unrecognised=tuple(sorted(set(unrecognised))),
        )  # fmt: skip


def sign(secret: str, moment: str, nonce: str, data: str) -> str:
    """Return the client signature: hex HMAC-SHA256 of time, nonce and data, one a line."""
    return mac_hex(secret, "\n".join((moment, nonce, data)))
