"""KuCoin: GET /api/v1/user/api-key. No nonce. The passphrase travels as its own HMAC, never itself.

Source: kucoin-universal-sdk (account, user api-key); the withdraw right is spelled Withdrawal or Withdraw, and older keys say
Transfer for deposit and withdrawal together.
"""

from __future__ import annotations

from typing import ClassVar, Dict, List, Mapping, Tuple

from .. import model as m
from ..mac import mac_base64
from ..reading import (
    code_of,
    document,
    field,
    flag,
    ip_rule,
    listed,
    malformed,
    mapping,
    moment_ms,
    refuse,
    same_key,
    text,
    words_of,
)

PATH = "/api/v1/user/api-key"
_MARKET = {"Spot": "spot", "Margin": "margin", "Futures": "futures"}
_RIGHTS: Dict[str, Tuple[str, ...]] = {
    "General": ("read",), "Spot": ("trade",), "Margin": ("trade", "borrow"), "Futures": ("trade",), "InnerTransfer": ("transfer",),
    "FlexTransfers": ("transfer",), "Transfer": ("withdraw", "transfer", "deposit"), "Withdrawal": ("withdraw",),
    "Withdraw": ("withdraw",), "Earn": ("earn",), "LeadtradeFutures": ("trade_elsewhere",),
}  # fmt: skip
_KINDS = {
    "400001": m.BAD_KEY, "400003": m.BAD_KEY, "400004": m.BAD_KEY, "400005": m.BAD_SIGNATURE, "400002": m.CLOCK, "400007": m.NO_RIGHT,
    "400006": m.IP_REFUSED, "429000": m.RATE, "200002": m.RATE, "1015": m.RATE, "500000": m.SERVICE,
}  # fmt: skip


class Kucoin(m.Venue):
    """KuCoin."""

    name = "kucoin"
    title = "KuCoin"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.kucoin.com"}
    fields = ("key", "secret", "passphrase")
    markets = ("spot", "margin", "futures")
    vocabulary = tuple(_RIGHTS)

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        moment = str(stamp.ms)
        return m.Request("GET", PATH, {
            "KC-API-KEY": credential.key, "KC-API-SIGN": mac_base64(credential.secret, moment + "GET" + PATH),
            "KC-API-TIMESTAMP": moment, "KC-API-PASSPHRASE": mac_base64(credential.secret, credential.passphrase),
            "KC-API-KEY-VERSION": "2",
        })  # fmt: skip

    def check(self, answer: m.Answer) -> None:
        found = mapping(document(answer), "the answer")
        code = code_of(found, "code")
        if code != "200000" or answer.status != 200:
            refuse(_KINDS, code, words_of(found, "msg"), answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        found = mapping(field(mapping(document(answer), "the answer"), "data"), "data")
        if not same_key(text(found, "apiKey"), credential.key):
            malformed("the answer is about another key")
        names = listed(text(found, "permission"))
        unrecognised = tuple(sorted(set(names) - set(_RIGHTS)))
        granted: List[str] = []
        for name in names:
            for right in _RIGHTS.get(name, ()):
                granted.append("trade_elsewhere" if right == "trade" and _MARKET[name] != self.market else right)
        is_master = flag(found, "isMaster")
        return m.KeyReport(
            rights=m.rights(granted, complete=True, unrecognised=unrecognised), native=tuple(sorted(set(names) & set(_RIGHTS))),
            unrecognised=unrecognised, ip=ip_rule(listed(text(found, "ipWhitelist")) if "ipWhitelist" in found else []),
            created=moment_ms(found, "createdAt"), sub_account=None if is_master is None else not is_master,
        )  # fmt: skip
