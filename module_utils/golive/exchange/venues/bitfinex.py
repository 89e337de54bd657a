"""Bitfinex: POST /v2/auth/r/permissions: a row a scope with read and write. It spends a nonce of the key.

Source: docs.bitfinex.com, rest-auth-permissions. Neither addresses nor times are told.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Mapping, Tuple

from .. import model as m
from ..mac import mac_hex
from ..reading import document, malformed, refuse

PATH = "/v2/auth/r/permissions"
_WRITE: Dict[str, Tuple[str, ...]] = {
    "account": ("manage",), "history": (), "orders": ("trade",), "positions": ("trade_elsewhere",), "funding": ("earn",),
    "settings": ("manage",), "wallets": ("transfer", "deposit"), "withdraw": ("withdraw",), "ui_withdraw": ("withdraw",),
    "bfxpay": ("pay",),
}  # fmt: skip
_KINDS = {"10100": m.BAD_KEY, "10114": m.NONCE, "10001": m.NO_RIGHT, "11010": m.RATE, "20060": m.SERVICE, "20051": m.SERVICE}


class Bitfinex(m.Venue):
    """Bitfinex."""

    name = "bitfinex"
    title = "Bitfinex"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.bitfinex.com"}
    markets = ("spot",)
    spends_nonce = True
    vocabulary = tuple("%s:%s" % (scope, level) for scope in _WRITE for level in ("read", "write"))

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        nonce, body = str(stamp.nonce), "{}"
        return m.Request("POST", PATH, {
            "bfx-nonce": nonce, "bfx-apikey": credential.key, "bfx-signature": sign(credential.secret, PATH, nonce, body),
            "Content-Type": "application/json",
        }, body.encode("ascii"))  # fmt: skip

    def check(self, answer: m.Answer) -> None:
        found = document(answer)
        if isinstance(found, list) and found and found[0] == "error":
            code = str(found[1]) if len(found) > 1 and isinstance(found[1], int) else ""
            words = found[2] if len(found) > 2 and isinstance(found[2], str) else ""
            if code == "10100" and "digest" in words:
                raise m.Refused(m.BAD_SIGNATURE, "10100 " + words)
            refuse(_KINDS, code, words, answer.status)
        if answer.status != 200:
            error = found.get("error") if isinstance(found, dict) else None
            refuse({"ERR_RATE_LIMIT": m.RATE}, error if isinstance(error, str) else "", "HTTP %d" % answer.status, answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        rows = document(answer)
        if not isinstance(rows, list) or not rows:
            malformed("the answer is not a list of scopes")
        levels: Dict[str, Tuple[bool, bool]] = {}
        for row in rows:
            scope, read, write = _row(row)
            if scope in levels:
                malformed("a scope is listed twice")
            levels[scope] = (read, write)
        unrecognised = tuple(sorted(scope for scope in levels if scope not in _WRITE and any(levels[scope])))
        complete = all(scope in levels for scope in _WRITE)
        granted: List[str] = []
        for scope, (read, write) in levels.items():
            granted += ["read"] if read else []
            granted += _WRITE.get(scope, ()) if write else ()
        rights = m.rights(granted, complete=complete, unrecognised=unrecognised)
        native = tuple(
            sorted(
                "%s:%s" % (scope, level) for scope in levels if scope in _WRITE for level, on in zip(("read", "write"), levels[scope]) if on
            )
        )
        return m.KeyReport(rights=rights, native=native, unrecognised=unrecognised)


def _row(row: Any) -> Tuple[str, bool, bool]:
    if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str):
        malformed("a row is not [scope, read, write]")
    for value in row[1:]:
        if isinstance(value, bool) or value not in (0, 1):
            malformed("read or write is neither 0 nor 1")
    return row[0], row[1] == 1, row[2] == 1


def sign(secret: str, path: str, nonce: str, body: str) -> str:
    """Return bfx-signature: hex HMAC-SHA384 of `/api` + path + nonce + body."""
    return mac_hex(secret, "/api" + path + nonce + body, "sha384")
