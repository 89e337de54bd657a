"""Bitget: GET /api/v2/spot/account/info (classic), and /api/v3/account/info where the account is unified. No nonce.

Source: bitget.com api-doc, spot account info and uta account info (2026). A classic question to a unified account is answered
40085; then the unified one is asked. `regisTime` is the account's age, not the key's, and is not read.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Mapping

from .. import model as m
from ..mac import mac_base64
from ..reading import code_of, document, field, ip_rule, listed, malformed, mapping, refuse, text, texts, words_of

CLASSIC = "/api/v2/spot/account/info"
UNIFIED = "/api/v3/account/info"
_IS_UNIFIED = "40085"
_MARKET = {"coow": "futures", "cpow": "futures", "stow": "spot", "smow": "margin"}
_CLASSIC: Dict[str, str] = {
    **dict.fromkeys(("coor", "cpor", "stor", "smor", "ttor", "wtor", "taxr", "taxw", "chor", "p2pr", "pllr", "readonly"), "read"),
    **dict.fromkeys(("coow", "cpow", "stow", "smow", "trade"), "trade"), "ttow": "trade_elsewhere", "wtow": "transfer",
    "wwow": "withdraw", "chow": "manage", "p2p": "pay", "p2pw": "pay", "pllw": "borrow",
}  # fmt: skip
_UNIFIED: Dict[str, str] = {
    "uta_mgt": "manage", "uta_trade": "trade", "withdraw": "withdraw", "copy_futures_position": "trade_elsewhere",
    "copy_futures_order": "trade_elsewhere",
}  # fmt: skip
_KINDS = {
    "40006": m.BAD_KEY, "40037": m.BAD_KEY, "40012": m.BAD_KEY, "40009": m.BAD_SIGNATURE, "40005": m.CLOCK, "40008": m.CLOCK,
    "40014": m.NO_RIGHT, "40018": m.IP_REFUSED, "40038": m.IP_REFUSED, "429": m.RATE, "1001": m.RATE, "40725": m.SERVICE,
}  # fmt: skip


class Bitget(m.Venue):
    """Bitget, classic and unified accounts."""

    name = "bitget"
    title = "Bitget"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.bitget.com", "demo": "api.bitget.com"}
    fields = ("key", "secret", "passphrase")
    markets = ("spot", "margin", "futures")
    vocabulary = (*_CLASSIC, *_UNIFIED)

    def _request(self, path: str, credential: m.Credential, stamp: m.Stamp) -> m.Request:
        moment = str(stamp.ms)
        headers = {
            "ACCESS-KEY": credential.key, "ACCESS-SIGN": mac_base64(credential.secret, moment + "GET" + path),
            "ACCESS-TIMESTAMP": moment, "ACCESS-PASSPHRASE": credential.passphrase,
        }  # fmt: skip
        if self.environment == "demo":
            headers["PAPTRADING"] = "1"
        return m.Request("GET", path, headers)

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        return self._request(CLASSIC, credential, stamp)

    def dialogue(self, credential: m.Credential, stamps: m.Stamps, host: str) -> m.Dialogue:
        answer = yield self._request(CLASSIC, credential, stamps())
        found = document(answer)
        if isinstance(found, dict) and code_of(found, "code") == _IS_UNIFIED:
            answer = yield self._request(UNIFIED, credential, stamps())
        self.check(answer)
        return self.read(answer, credential)

    def check(self, answer: m.Answer) -> None:
        found = mapping(document(answer), "the answer")
        code = code_of(found, "code")
        if code != "00000" or answer.status != 200:
            refuse(_KINDS, code, words_of(found, "msg"), answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        found = mapping(field(mapping(document(answer), "the answer"), "data"), "data")
        if "authorities" in found and "permissions" in found:
            malformed("the answer is of the classic and of the unified form at once")
        return self._unified(found) if "permissions" in found else self._classic(found)

    def _classic(self, found: Mapping[str, Any]) -> m.KeyReport:
        names = texts(found, "authorities")
        granted = [
            "trade_elsewhere" if _MARKET.get(name, self.market) != self.market else _CLASSIC[name] for name in names if name in _CLASSIC
        ]
        unrecognised = tuple(sorted(set(names) - set(_CLASSIC)))
        return m.KeyReport(
            rights=m.rights(granted, complete=True, unrecognised=unrecognised), native=tuple(sorted(set(names) & set(_CLASSIC))),
            unrecognised=unrecognised, ip=ip_rule(listed(text(found, "ips"))),
        )  # fmt: skip

    def _unified(self, found: Mapping[str, Any]) -> m.KeyReport:
        names, kind = texts(found, "permissions"), text(found, "permType")
        if kind not in ("read-only", "read-and-write"):
            malformed("the field permType is neither read-only nor read-and-write")
        granted: List[str] = ["read"] + [_UNIFIED[name] for name in names if name in _UNIFIED]
        unrecognised = tuple(sorted(set(names) - set(_UNIFIED)))
        inseparable = ("trade_elsewhere",) if "uta_trade" in names and kind == "read-and-write" else ()  # one right for all markets
        known = m.rights([*granted, *inseparable], complete=True, unrecognised=unrecognised)
        if kind == "read-only":
            known = {name: name == "read" or (None if value is None else False) for name, value in known.items()}
            if "withdraw" in granted:
                known["withdraw"] = None  # said and denied in one answer
        return m.KeyReport(
            rights=known, inseparable=inseparable, native=tuple(sorted(set(names) & set(_UNIFIED))), unrecognised=unrecognised,
            ip=ip_rule(listed(text(found, "ips"))),
        )  # fmt: skip
