"""Gate v4: GET /api/v4/account/main_keys, which lists all keys of the main account masked; ours is found by its prefix. No nonce.

Source: gate.io api v4, account (2026-05). Gate has one right for the wallet: not read-only means that funds can leave.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar, Dict, List, Mapping, Tuple

from .. import model as m
from ..mac import mac_hex
from ..reading import code_of, document, field, ip_rule, malformed, mapping, moment_s, refuse, same_key, text, texts, whole, words_of

PREFIX = "/api/v4"
PATH = "/account/main_keys"
_MARKET = {"spot": "spot", "futures": "futures", "delivery": "futures", "options": "options"}
# What `read_only: false` gives; `read_only: true` gives read.
_WRITE: Dict[str, Tuple[str, ...]] = {
    "wallet": ("withdraw", "transfer", "deposit", "address_book"), "spot": ("trade",), "futures": ("trade",), "delivery": ("trade",),
    "options": ("trade",), "margin": ("trade_elsewhere", "borrow"), "unified": ("trade_elsewhere", "borrow"), "earn": ("earn",),
    "custody": ("transfer",), "account": ("manage",), "loan": ("borrow",), "copy": ("trade_elsewhere",), "pilot": ("trade_elsewhere",),
    "alpha": ("trade_elsewhere",), "crossx": ("trade_elsewhere",), "otc": ("trade_elsewhere", "pay"),
}  # fmt: skip
_KINDS = {
    "INVALID_KEY": m.BAD_KEY, "INVALID_SIGNATURE": m.BAD_SIGNATURE, "REQUEST_EXPIRED": m.CLOCK, "READ_ONLY": m.NO_RIGHT,
    "FORBIDDEN": m.NO_RIGHT, "IP_FORBIDDEN": m.IP_REFUSED, "TOO_MANY_REQUESTS": m.RATE, "SERVER_ERROR": m.SERVICE, "INTERNAL": m.SERVICE,
}  # fmt: skip


class Gate(m.Venue):
    """Gate. The key needs the right `account` (read-only is enough) to be asked."""

    name = "gate"
    title = "Gate"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.gateio.ws", "testnet": "api-testnet.gateapi.io"}
    markets = ("spot", "futures", "options")

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        seconds = str(stamp.ms // 1000)
        return m.Request("GET", PREFIX + PATH, {
            "KEY": credential.key, "SIGN": sign(credential.secret, "GET", PREFIX + PATH, "", "", seconds), "Timestamp": seconds,
        })  # fmt: skip

    def check(self, answer: m.Answer) -> None:
        found = document(answer)
        if answer.status == 200 and (isinstance(found, list) or (isinstance(found, dict) and "label" not in found)):
            return
        found = mapping(found, "the error")
        label, words = code_of(found, "label"), words_of(found, "message")
        if label == "FORBIDDEN" and "whitelist" in words.lower():
            label = "IP_FORBIDDEN"  # seen live under the other label with this text
        refuse(_KINDS, label, words, answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        found = document(answer)
        keys = [mapping(item, "a key") for item in (found if isinstance(found, list) else [found])]
        ours = [item for item in keys if same_key(text(item, "key"), credential.key)]
        if len(ours) != 1:
            malformed("%d of the keys listed by the venue begin like ours (sub-account keys are not listed)" % len(ours))
        return self._report(ours[0])

    def _report(self, found: Mapping[str, Any]) -> m.KeyReport:
        perms = field(found, "perms")
        if not isinstance(perms, list):
            malformed("the field perms is not a list")
        granted: List[str] = []
        native: List[str] = []
        unrecognised: List[str] = []
        for item in perms:
            perm = mapping(item, "a right")
            name, read_only = text(perm, "name"), field(perm, "read_only")
            if not isinstance(read_only, bool):
                malformed("the field read_only is not true or false")
            full = name + (":read" if read_only else ":write")
            if name not in _WRITE:
                unrecognised.append(full)
                continue
            native.append(full)
            for right in ("read",) if read_only else ("read", *_WRITE[name]):
                granted.append("trade_elsewhere" if right == "trade" and _MARKET[name] != self.market else right)
        state = whole(found, "state")
        return m.KeyReport(
            rights=m.rights(granted, complete=True, unrecognised=tuple(unrecognised)), native=tuple(sorted(native)),
            unrecognised=tuple(sorted(unrecognised)), ip=ip_rule(texts(found, "ip_whitelist")),
            created=moment_s(whole(found, "created_at"), "created_at"), active={1: True, 2: False, 3: False}.get(state),
            last_used=moment_s(whole(found, "last_access"), "last_access") if found.get("last_access") else None,
        )  # fmt: skip


def sign(secret: str, method: str, path: str, query: str, body: str, seconds: str) -> str:
    """Return SIGN: hex HMAC-SHA512 of method, path, query, hex SHA512 of the body, and time, one a line."""
    return mac_hex(secret, "\n".join((method, path, query, hashlib.sha512(body.encode("utf-8")).hexdigest(), seconds)), "sha512")
