"""Bybit v5: GET /v5/user/query-api. No nonce. Keys work on the host of their own site only (also .eu, .nl, .kz, …: base_url).

Source: bybit-exchange/docs, v5 user apikey-info (2026-07). A right to trade needs readOnly 0 *and* the scope.
"""

from __future__ import annotations

from typing import Any, ClassVar, Dict, List, Mapping, Tuple

from ..mac import mac_hex
from ..model import (
    BAD_KEY,
    BAD_SIGNATURE,
    CLOCK,
    EXPIRED,
    IP_REFUSED,
    NEVER,
    NO_RIGHT,
    RATE,
    SERVICE,
    WRONG_ENVIRONMENT,
    Answer,
    Credential,
    KeyReport,
    Request,
    Stamp,
    Venue,
    rights,
)
from ..reading import (
    code_of,
    document,
    field,
    flag,
    ip_rule,
    malformed,
    mapping,
    moment_iso,
    refuse,
    same_key,
    text,
    texts,
    whole,
    words_of,
)

PATH = "/v5/user/query-api"
RECV_WINDOW = "5000"
_KINDS = {
    "10003": BAD_KEY, "10004": BAD_SIGNATURE, "10002": CLOCK, "10005": NO_RIGHT, "10010": IP_REFUSED, "33004": EXPIRED,
    "-2015": EXPIRED, "10006": RATE, "10018": RATE, "10009": WRONG_ENVIRONMENT, "10000": SERVICE, "10016": SERVICE,
}  # fmt: skip
_MARKET = {"Spot": "spot", "ContractTrade": "derivatives", "Derivatives": "derivatives", "Options": "options"}
# Group -> scope -> right; "*" is any scope of the group.
_SCOPES: Dict[str, Dict[str, str]] = {
    "Spot": {"SpotTrade": "trade"}, "ContractTrade": {"Order": "trade", "Position": "trade"},
    "Derivatives": {"DerivativesTrade": "trade"}, "Options": {"OptionsTrade": "trade"},
    "Wallet": {"AccountTransfer": "transfer", "SubMemberTransfer": "transfer", "SubMemberTransferList": "read", "Withdraw": "withdraw"},
    "Exchange": {"ExchangeHistory": "read"}, "Earn": {"Earn": "earn"}, "FiatP2P": {"*": "pay"}, "FiatBitPay": {"*": "pay"},
    "FiatConvertBroker": {"*": "pay"}, "FiatGlobalPay": {"*": "pay"}, "BitCard": {"*": "pay"}, "ByXPost": {"*": "pay"},
    "Affiliate": {"*": "read"}, "BlockTrade": {"*": "trade_elsewhere"}, "NFT": {"*": "trade_elsewhere"},
    "CopyTrading": {"*": "trade_elsewhere"},
}  # fmt: skip


class Bybit(Venue):
    """Bybit v5."""

    name = "bybit"
    title = "Bybit"
    hosts: ClassVar[Mapping[str, str]] = {
        "production": "api.bybit.com", "testnet": "api-testnet.bybit.com", "demo": "api-demo.bybit.com",
    }  # fmt: skip
    markets = ("spot", "derivatives", "options")
    vocabulary = tuple("%s.%s" % (group, scope) for group, scopes in _SCOPES.items() for scope in scopes if scope != "*")

    def request(self, credential: Credential, stamp: Stamp, host: str) -> Request:
        moment = str(stamp.ms)
        return Request("GET", PATH, {
            "X-BAPI-API-KEY": credential.key, "X-BAPI-TIMESTAMP": moment, "X-BAPI-RECV-WINDOW": RECV_WINDOW,
            "X-BAPI-SIGN": sign(credential, moment, ""),
        })  # fmt: skip

    def check(self, answer: Answer) -> None:
        found = mapping(document(answer), "the answer")
        code = code_of(found, "retCode")
        if code != "0" or answer.status != 200:
            refuse(_KINDS, code, words_of(found, "retMsg"), 429 if answer.status == 403 else answer.status)

    def read(self, answer: Answer, credential: Credential) -> KeyReport:
        found = mapping(field(mapping(document(answer), "the answer"), "result"), "result")
        if not same_key(text(found, "apiKey"), credential.key):
            malformed("the answer is about another key")
        read_only = whole(found, "readOnly")
        if read_only not in (0, 1):
            malformed("the field readOnly is neither 0 nor 1")
        groups = mapping(field(found, "permissions"), "permissions")
        field(groups, "Wallet")  # an empty group says no; a missing one says nothing
        granted, native, unrecognised = self._scopes(groups)
        known = rights([*granted, "read"], complete=True, unrecognised=unrecognised)
        if read_only:
            # Read only is said for the whole key. A withdrawal scope beside it contradicts that, so nothing is taken from either.
            known = {name: name == "read" or (None if value is None else False) for name, value in known.items()}
            if "withdraw" in granted:
                known["withdraw"] = None
        ip = ip_rule(texts(found, "ips"))
        is_master = flag(found, "isMaster")
        return KeyReport(
            rights=known, native=native, unrecognised=unrecognised, ip=ip, created=moment_iso(text(found, "createdAt"), "createdAt"),
            expires=NEVER if ip.state == "listed" else moment_iso(text(found, "expiredAt"), "expiredAt"),
            sub_account=None if is_master is None else not is_master,
        )  # fmt: skip

    def _scopes(self, groups: Mapping[str, Any]) -> Tuple[List[str], Tuple[str, ...], Tuple[str, ...]]:
        granted: List[str] = []
        native: List[str] = []
        unrecognised: List[str] = []
        for group in groups:
            known = _SCOPES.get(group, {})
            for scope in texts(groups, group):
                right = known.get(scope, known.get("*"))
                if right is None:
                    unrecognised.append("%s.%s" % (group, scope))
                    continue
                native.append("%s.%s" % (group, scope))
                granted.append("trade_elsewhere" if right == "trade" and _MARKET[group] != self.market else right)
        return granted, tuple(sorted(native)), tuple(sorted(unrecognised))


def sign(credential: Credential, moment: str, query: str) -> str:
    """Return X-BAPI-SIGN: hex HMAC-SHA256 of time, key, window and query."""
    return mac_hex(credential.secret, moment + credential.key + RECV_WINDOW + query)
