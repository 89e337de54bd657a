"""Binance spot and USD-M futures: GET /sapi/v1/account/apiRestrictions. No nonce. The address list itself is never told.

Source: developers.binance.com, wallet, account, api-key-permission (2026) and errors.md. The `can*` flags of
/api/v3/account and /fapi/v1/accountConfig describe the account, not the key, and are not read. Testnets serve no /sapi.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple
from urllib.parse import quote, urlencode

from ..asymmetric import is_private_key, pem_flaw, sign_pem
from ..mac import mac_hex
from ..model import (
    AMBIGUOUS,
    BAD_KEY,
    BAD_SIGNATURE,
    CLOCK,
    IP_REFUSED,
    LOCKED,
    NEVER,
    NO_RIGHT,
    RATE,
    SERVICE,
    Answer,
    Credential,
    IpRule,
    KeyReport,
    Request,
    Stamp,
    Venue,
)
from ..reading import Flags, code_of, document, flag, flag_rights, mapping, moment_ms, moment_s, refuse, whole, words_of

PATH = "/sapi/v1/account/apiRestrictions"
_KINDS = {
    "-2014": BAD_KEY, "-2008": BAD_KEY, "-2015": AMBIGUOUS, "-1022": BAD_SIGNATURE, "-1021": CLOCK, "-1002": NO_RIGHT, "-1003": RATE,
    "-1011": IP_REFUSED, "-1005": IP_REFUSED, "-2017": LOCKED, "-1000": SERVICE, "-1001": SERVICE, "-1007": SERVICE, "-1008": SERVICE,
    "-4056": BAD_KEY, "-4057": BAD_KEY,
}  # fmt: skip
_FIELDS = ("ipRestrict", "createTime", "tradingAuthorityExpirationTime")
_SUB = ("enableWithdrawals", "enableInternalTransfer", "enableMargin", "enableVanillaOptions", "permitsUniversalTransfer")


def _flags(spot: str, futures: str) -> Dict[str, Tuple[str, ...]]:
    return {
        "enableReading": ("read",), "enableFixReadOnly": ("read",), "enableSpotAndMarginTrading": (spot,), "enableFixApiTrade": (spot,),
        "enableFutures": (futures,), "enablePortfolioMarginTrading": ("trade_elsewhere",), "enableVanillaOptions": ("trade_elsewhere",),
        "enableMargin": ("borrow", "transfer"), "enableInternalTransfer": ("transfer",), "permitsUniversalTransfer": ("transfer",),
        "enableWithdrawals": ("withdraw",),
    }  # fmt: skip


class Binance(Venue):
    """Binance spot. `trade` is spot and margin orders (one flag at Binance); futures and options are `trade_elsewhere`."""

    name = "binance"
    title = "Binance spot"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.binance.com"}
    flags: ClassVar[Flags] = _flags("trade", "trade_elsewhere")

    def flaw(self, credential: Credential) -> Optional[str]:
        if is_private_key(credential.secret) and pem_flaw(credential.secret):
            return "the private key is not whole PEM"
        return None

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        query = urlencode({"timestamp": stamp.ms, "recvWindow": 5000})
        target = "%s?%s&signature=%s" % (PATH, query, sign(credential.secret, query))
        return Request("GET", target, {"X-MBX-APIKEY": credential.key})

    def check(self, answer: Answer) -> None:
        found = document(answer)
        if answer.status == 200 and isinstance(found, dict) and "code" not in found and found.get("success") is not False:
            return
        found = mapping(found, "the error")
        words = words_of(found, "msg")
        refuse(_KINDS, code_of(found, "code"), words, answer.status, _banned_until(words))

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        found = mapping(document(answer), "the answer")
        rights, native, unrecognised = flag_rights(found, self.flags, _FIELDS)
        restricted = flag(found, "ipRestrict")
        notes: Tuple[str, ...] = ()
        if all(name not in found for name in _SUB):
            notes = ("Binance leaves these fields out for keys of sub-accounts; what they would say is unknown",)
        return KeyReport(
            rights=rights, native=native, unrecognised=unrecognised,
            ip=IpRule({True: "restricted", False: "open", None: "unknown"}[restricted]), created=moment_ms(found, "createTime"),
            expires=_expires(found), notes=notes,
        )  # fmt: skip


class BinanceUsdm(Binance):
    """Binance USD-M futures: the same call on the same host with the same key; `trade` is futures orders."""

    name = "binance_usdm"
    title = "Binance USD-M futures"
    markets = ("usdm",)
    flags: ClassVar[Flags] = _flags("trade_elsewhere", "trade")


def sign(secret: str, payload: str) -> str:
    """Return the value of `signature=`: hex HMAC-SHA256, or percent-encoded base64 of Ed25519 or RSA where the secret is PEM."""
    if not is_private_key(secret):
        return mac_hex(secret, payload)
    import base64  # noqa: PLC0415

    return quote(base64.b64encode(sign_pem(secret, payload.encode("ascii"))).decode("ascii"), safe="")


def _expires(found: Mapping[str, Any]) -> Any:
    """Return the end of the trading right, which Binance told for keys without an address list until 2022 or so."""
    if "tradingAuthorityExpirationTime" not in found:
        return None
    told = whole(found, "tradingAuthorityExpirationTime")
    return NEVER if told == -1 else moment_s(told / 1000, "tradingAuthorityExpirationTime")


def _banned_until(words: str) -> Optional[datetime]:
    found = re.search(r"banned until (\d{13})\b", words)
    return moment_s(int(found.group(1)) / 1000, "banned until") if found else None
