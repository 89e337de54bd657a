"""Gemini: POST /v1/roles: which of three roles the key has. It spends a nonce of the key. Neither addresses nor times are told.

Source: developer.gemini.com, roles. Auditor reads; Trader trades; Fund Manager withdraws and transfers.
"""

from __future__ import annotations

import base64
import json
from typing import ClassVar, Mapping

from .. import model as m
from ..mac import mac_hex
from ..reading import Flags, code_of, document, flag_rights, mapping, refuse, words_of

PATH = "/v1/roles"
_FLAGS: Flags = {
    "isAuditor": ("read",), "isTrader": ("read", "trade"),
    "isFundManager": ("read", "withdraw", "transfer", "deposit", "address_book", "pay", "earn"),
}  # fmt: skip
_MASTER: Flags = {"isAccountAdmin": ("manage",)}
_OTHERS = ("counterparty_id",)
_KINDS = {
    "InvalidNonce": m.NONCE, "InvalidSignature": m.BAD_SIGNATURE, "InvalidApiKey": m.BAD_KEY, "MissingApikeyHeader": m.BAD_KEY,
    "MissingRole": m.NO_RIGHT, "RateLimit": m.RATE, "RateLimited": m.RATE, "System": m.SERVICE, "Maintenance": m.SERVICE,
}  # fmt: skip


class Gemini(m.Venue):
    """Gemini."""

    name = "gemini"
    title = "Gemini"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.gemini.com", "sandbox": "api.sandbox.gemini.com"}
    markets = ("any",)
    spends_nonce = True

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        text = json.dumps({"request": PATH, "nonce": str(stamp.nonce)}, separators=(",", ":"))
        payload = base64.b64encode(text.encode("ascii")).decode("ascii")
        return m.Request("POST", PATH, {
            "Content-Type": "text/plain", "X-GEMINI-APIKEY": credential.key, "X-GEMINI-PAYLOAD": payload,
            "X-GEMINI-SIGNATURE": mac_hex(credential.secret, payload, "sha384"), "Cache-Control": "no-cache",
        })  # fmt: skip

    def check(self, answer: m.Answer) -> None:
        found = mapping(document(answer), "the answer")
        if answer.status != 200 or found.get("result") == "error":
            refuse(_KINDS, code_of(found, "reason"), words_of(found, "message"), answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        found = mapping(document(answer), "the answer")
        flags = {**_FLAGS, **_MASTER} if "isAccountAdmin" in found else _FLAGS
        rights, native, unrecognised = flag_rights(found, flags, _OTHERS)
        return m.KeyReport(rights=rights, native=native, unrecognised=unrecognised)
