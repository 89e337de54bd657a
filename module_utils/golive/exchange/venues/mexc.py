"""MEXC: GET /api/v3/apiKeyInfo with the key's own id. No nonce. The same path by POST rewrites the address list: never sent.

Source: mexc.com api-docs, spot v3, query-api-key-info (2026). `canWithdraw` of /api/v3/account describes the account; not read.
"""

from __future__ import annotations

import re
from typing import ClassVar, Dict, List, Mapping, Tuple
from urllib.parse import urlencode

from .. import model as m
from ..mac import mac_hex
from ..reading import code_of, document, ip_rule, listed, malformed, mapping, moment_iso, refuse, same_key, text, whole, words_of

PATH = "/api/v3/apiKeyInfo"
# AREA_READ or AREA_WRITE; the documents also write _R and _W.
_AREAS: Dict[str, Tuple[str, ...]] = {
    "SPOT_ACCOUNT": ("manage",), "CONTRACT_ACCOUNT": ("manage",), "SPOT_DEAL": ("trade",), "CONTRACT_DEAL": ("trade",),
    "SPOT_TRANSFER": ("transfer",), "CONTRACT_TRANSFER": ("transfer",), "SPOT_WITHDRAW": ("withdraw", "address_book"),
}  # fmt: skip
_MARKET = {"SPOT_DEAL": "spot", "CONTRACT_DEAL": "futures"}
_KINDS = {
    "10072": m.BAD_KEY, "700001": m.BAD_KEY, "700002": m.BAD_SIGNATURE, "602": m.BAD_SIGNATURE, "700003": m.CLOCK, "10073": m.CLOCK,
    "700007": m.NO_RIGHT, "700006": m.IP_REFUSED, "402": m.EXPIRED, "429": m.RATE, "510": m.RATE, "500": m.SERVICE, "503": m.SERVICE,
}  # fmt: skip


class Mexc(m.Venue):
    """MEXC."""

    name = "mexc"
    title = "MEXC"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.mexc.com"}
    markets = ("spot", "futures")
    vocabulary = tuple("%s_%s" % (area, level) for area in _AREAS for level in ("READ", "WRITE"))

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        query = urlencode({"accessKey": credential.key, "timestamp": stamp.ms, "recvWindow": 5000})
        return m.Request("GET", "%s?%s&signature=%s" % (PATH, query, mac_hex(credential.secret, query)), {"X-MEXC-APIKEY": credential.key})

    def check(self, answer: m.Answer) -> None:
        found = mapping(document(answer), "the answer")
        if answer.status == 200 and "code" not in found:
            return
        refuse(_KINDS, code_of(found, "code"), words_of(found, "msg", "message"), answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        found = mapping(document(answer), "the answer")
        if not same_key(text(found, "accessKey"), credential.key):
            malformed("the answer is about another key")
        granted: List[str] = []
        native: List[str] = []
        unrecognised: List[str] = []
        for name in listed(text(found, "permissions")):
            parts = re.match(r"([A-Z_]+?)_(READ|WRITE|R|W)\Z", name)
            if not parts or parts.group(1) not in _AREAS:
                unrecognised.append(name)
                continue
            area, level = parts.group(1), parts.group(2)[0]
            native.append("%s_%s" % (area, "READ" if level == "R" else "WRITE"))
            for right in ("read",) if level == "R" else _AREAS[area]:
                granted.append("trade_elsewhere" if right == "trade" and _MARKET[area] != self.market else right)
        return m.KeyReport(
            rights=m.rights(granted, complete=True, unrecognised=tuple(unrecognised)), native=tuple(sorted(set(native))),
            unrecognised=tuple(sorted(unrecognised)), ip=ip_rule(listed(text(found, "ipWhiteList"))),
            created=moment_iso(text(found, "createTime"), "createTime"), days_left=whole(found, "remainingValidity"),
            active=text(found, "status") == "VALID",
        )  # fmt: skip
