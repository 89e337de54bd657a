"""OKX v5: GET /api/v5/account/config. No nonce. `trade` at OKX includes every market and moving funds between own accounts.

Source: okx.com docs-v5, account configuration (2026). Demo trading is the same host with x-simulated-trading: 1.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import ClassVar, Dict, Mapping

from ..mac import mac_base64
from ..model import (
    BAD_KEY,
    BAD_SIGNATURE,
    CLOCK,
    IP_REFUSED,
    LOCKED,
    NO_RIGHT,
    RATE,
    SERVICE,
    WRONG_ENVIRONMENT,
    Answer,
    Credential,
    IpRule,
    KeyReport,
    Request,
    Stamp,
    Venue,
    rights,
)
from ..reading import code_of, document, field, ip_rule, listed, malformed, mapping, refuse, text, words_of

PATH = "/api/v5/account/config"
_RIGHTS = {"read_only": "read", "trade": "trade", "withdraw": "withdraw"}
_KINDS = {
    "50111": BAD_KEY, "50119": BAD_KEY, "50105": BAD_KEY, "50113": BAD_SIGNATURE, "50102": CLOCK, "50112": CLOCK, "50030": NO_RIGHT,
    "50120": NO_RIGHT, "50110": IP_REFUSED, "50035": IP_REFUSED, "50101": WRONG_ENVIRONMENT, "50100": LOCKED, "50011": RATE,
    "50001": SERVICE, "50004": SERVICE, "50013": SERVICE, "50026": SERVICE,
}  # fmt: skip


class Okx(Venue):
    """OKX v5."""

    name = "okx"
    title = "OKX"
    hosts: ClassVar[Mapping[str, str]] = {"production": "www.okx.com", "demo": "www.okx.com"}
    fields = ("key", "secret", "passphrase")
    markets = ("any",)
    vocabulary = tuple(_RIGHTS)

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        seconds, ms = divmod(stamp.ms, 1000)
        moment = "%s.%03dZ" % (datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S"), ms)
        headers: Dict[str, str] = {
            "OK-ACCESS-KEY": credential.key, "OK-ACCESS-SIGN": mac_base64(credential.secret, moment + "GET" + PATH),
            "OK-ACCESS-TIMESTAMP": moment, "OK-ACCESS-PASSPHRASE": credential.passphrase,
        }  # fmt: skip
        if self.environment == "demo":
            headers["x-simulated-trading"] = "1"
        return Request("GET", PATH, headers)

    def check(self, answer: Answer) -> None:
        found = mapping(document(answer), "the answer")
        code = code_of(found, "code")
        if code != "0" or answer.status != 200:
            refuse(_KINDS, code, words_of(found, "msg"), answer.status)

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        data = field(mapping(document(answer), "the answer"), "data")
        if not isinstance(data, list) or len(data) != 1:
            malformed("the field data is not a list of one")
        found = mapping(data[0], "data")
        names = listed(text(found, "perm"))
        if not names:
            malformed("the field perm is empty")
        unrecognised = tuple(sorted(set(names) - set(_RIGHTS)))
        inseparable = ("trade_elsewhere", "transfer") if "trade" in names else ()
        granted = [_RIGHTS[name] for name in names if name in _RIGHTS]
        ids = [found.get("uid"), found.get("mainUid")]
        return KeyReport(
            rights=rights([*granted, *inseparable], complete=True, unrecognised=unrecognised), inseparable=inseparable,
            native=tuple(sorted(set(names) & set(_RIGHTS))), unrecognised=unrecognised,
            ip=ip_rule(listed(text(found, "ip"))) if "ip" in found else IpRule("unknown"),
            sub_account=ids[0] != ids[1] if all(isinstance(part, str) and part for part in ids) else None,
        )  # fmt: skip
