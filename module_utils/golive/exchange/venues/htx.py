"""HTX (Huobi): GET /v2/user/api-key, which lists every key of the user; ours is found by accessKey. No nonce.

Source: huobiapi docs, sub user management, API key query (2026); for keys of the parent user only. `trade` at HTX includes
moving funds between the user's own accounts and every market of the host.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, ClassVar, Mapping
from urllib.parse import quote, urlencode

from .. import model as m
from ..mac import mac_base64
from ..reading import code_of, document, field, ip_rule, listed, malformed, mapping, moment_ms, refuse, text, whole, words_of

PATH = "/v2/user/api-key"
_RIGHTS = {"readOnly": "read", "trade": "trade", "withdraw": "withdraw"}
_KINDS = {
    "1003": m.BAD_SIGNATURE, "1002": m.NO_RIGHT, "403": m.BAD_KEY, "base-request-exceed-frequency-limit": m.RATE,
    "rate-too-many-requests": m.RATE, "429": m.RATE, "500": m.SERVICE, "gateway-internal-error": m.SERVICE,
}  # fmt: skip


class Htx(m.Venue):
    """HTX."""

    name = "htx"
    title = "HTX"
    hosts: ClassVar[Mapping[str, str]] = {"production": "api.huobi.pro"}
    markets = ("any",)
    vocabulary = tuple(_RIGHTS)

    def request(self, credential: m.Credential, stamp: m.Stamp, host: str) -> m.Request:
        moment = datetime.fromtimestamp(stamp.ms // 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
        query = sorted_query(credential.key, moment, {"accessKey": credential.key})
        # The host that is signed is the venue's own, also where another address is asked for it (a rehearsal exchange).
        signature = sign(credential.secret, self.hosts[self.environment], PATH, query)
        return m.Request("GET", "%s?%s&Signature=%s" % (PATH, query, quote(signature, safe="")), {})

    def check(self, answer: m.Answer) -> None:
        found = mapping(document(answer), "the answer")
        code = code_of(found, "code") or code_of(found, "err-code")
        words = words_of(found, "message", "err-msg")
        if code == "api-signature-not-valid":
            low = words.lower()
            kind = m.BAD_KEY if "access key" in low else m.NO_RIGHT if "permission" in low else m.BAD_SIGNATURE
            raise m.Refused(kind, "%s %s" % (code, words))
        if code != "200" or answer.status != 200:
            refuse(_KINDS, code, words, answer.status)

    def read(self, answer: m.Answer, credential: m.Credential) -> m.KeyReport:
        data = field(mapping(document(answer), "the answer"), "data")
        if not isinstance(data, list):
            malformed("the field data is not a list")
        ours = [item for item in (mapping(item, "a key") for item in data) if text(item, "accessKey") == credential.key]
        if len(ours) != 1:
            malformed("%d of the keys listed by the venue are ours (sub-user keys are not listed)" % len(ours))
        return _report(ours[0])


def _report(found: Mapping[str, Any]) -> m.KeyReport:
    names = listed(text(found, "permission"))
    unrecognised = tuple(sorted(set(names) - set(_RIGHTS)))
    inseparable = ("trade_elsewhere", "transfer") if "trade" in names else ()
    days, status = whole(found, "validDays"), text(found, "status")
    granted = [_RIGHTS[name] for name in names if name in _RIGHTS]
    return m.KeyReport(
        rights=m.rights([*granted, *inseparable], complete=True, unrecognised=unrecognised), inseparable=inseparable,
        native=tuple(sorted(set(names) & set(_RIGHTS))), unrecognised=unrecognised, ip=ip_rule(listed(text(found, "ipAddresses"))),
        created=moment_ms(found, "createTime"), expires=m.NEVER if days == -1 else None, days_left=None if days == -1 else days,
        active={"normal": True, "expired": False}.get(status),
    )  # fmt: skip


def sorted_query(key: str, moment: str, parameters: Mapping[str, str]) -> str:
    """Return the query that is signed and sent: names sorted, values percent-encoded."""
    fixed = {"AccessKeyId": key, "SignatureMethod": "HmacSHA256", "SignatureVersion": "2", "Timestamp": moment}
    return urlencode(sorted({**fixed, **parameters}.items()))


def sign(secret: str, host: str, path: str, query: str) -> str:
    """Return Signature: base64 HMAC-SHA256 of method, host, path and sorted query, one a line."""
    return mac_base64(secret, "\n".join(("GET", host, path, query)))
