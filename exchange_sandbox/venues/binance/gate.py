"""Who calls Binance: key, address, right, timestamp, signature; each check writes its verdict into the record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Optional

from ...accounts import Account
from ...keys import Key
from ...seen import Seen
from .call import SIGNED, Endpoint
from .errors import INVALID_KEY, BinanceError, missing
from .sign import matches

if TYPE_CHECKING:
    from ...core import Exchange

READ, SPOT_TRADE, FUTURES, WITHDRAW = "enableReading", "enableSpotAndMarginTrading", "enableFutures", "enableWithdrawals"
TRANSFER = "permitsUniversalTransfer"
ALL_RIGHTS = (
    READ,
    SPOT_TRADE,
    FUTURES,
    WITHDRAW,
    TRANSFER,
    "enableInternalTransfer",
    "enableMargin",
    "enableVanillaOptions",
    "enablePortfolioMarginTrading",
    "enableFixApiTrade",
    "enableFixReadOnly",
)
_FORMAT = re.compile(r"[A-Za-z0-9]{64}")
_WINDOW, _STAMP = re.compile(r"\d{1,5}(\.\d{1,3})?"), re.compile(r"\d{1,17}")
DEFAULT_WINDOW_MS, LONGEST_WINDOW_MS, AHEAD_MS = 5_000, 60_000, 1_000
#: Kraken's words of the cruelty right_removed -> Binance's
REMOVED = {"modify-trades": (SPOT_TRADE, FUTURES), "query-funds": (READ,), "withdraw-funds": (WITHDRAW,)}


class Gate:
    """Checks requests that need a key."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def known(self, key_id: str) -> Optional[Key]:
        """Return the key of a header without judging anything, for the scope of cruelties."""
        key = self._exchange.keys.by_id.get(key_id)
        return key if key is not None and key.venue == "binance" else None

    def check(
        self, seen: Seen, key: Optional[Key], key_id: str, endpoint: Endpoint, params: dict[str, str], payload: str, signature: str
    ) -> tuple[Key, Account]:
        """Return key and account of a request that may go on. Raises BinanceError with the venue's words."""
        exchange = self._exchange
        if not _FORMAT.fullmatch(key_id):
            seen.bad("key_known", "no key, or one of a wrong form")
            raise BinanceError(-2014, "API-key format invalid.", 401)
        account = exchange.engine.accounts.get(key.account) if key is not None else None
        revoked_now = key is not None and exchange.cruelty("key_revoked", key.account) is not None
        if key is None or account is None or key.revoked or revoked_now or bool(key.valid_until and seen.at > key.valid_until):
            if not revoked_now:
                seen.bad("key_known", "the key is not known, revoked or expired")
            raise BinanceError(*INVALID_KEY, status=401)
        seen.ok("key_known")
        if not key.allows(seen.source):
            seen.bad("ip", "address not on the key's allow-list")
            raise BinanceError(*INVALID_KEY, status=401)
        seen.ok("ip")
        if endpoint.security == SIGNED:
            self._timestamp(seen, account, params)
            if not signature:
                seen.bad("signature", "no signature was sent")
                raise missing("signature")
            if not matches(key.secret, payload, signature):
                seen.bad("signature", "the signature is not the one of what was sent")
                raise BinanceError(-1022, "Signature for this request is not valid.")
            seen.ok("signature")
        exchange.addresses[seen.source] = account.name
        if seen.transport == "rest":
            # One program has another agent on its sockets than on its requests.
            exchange.judge.writer(seen, account, key.id)
        key.last_used = seen.at
        self._right(seen, key, account, endpoint)
        return key, account

    def skew(self, account: Optional[str], source: str) -> float:
        """Return by how much the venue's clock is off (cruelty clock_skew)."""
        found = self._exchange.cruelties_of("clock_skew", account, source)
        return sum(float(item.params["seconds"]) for item in found) if found else 0.0

    def _timestamp(self, seen: Seen, account: Account, params: dict[str, str]) -> None:
        raw, window = params.get("timestamp", ""), params.get("recvWindow", "")
        if not raw:
            seen.bad("timestamp", "no timestamp was sent")
            raise missing("timestamp")
        wide = float(window) if _WINDOW.fullmatch(window) else (DEFAULT_WINDOW_MS if not window else -1.0)
        if not _STAMP.fullmatch(raw) or not 0 <= wide <= LONGEST_WINDOW_MS:
            seen.bad("timestamp", "timestamp or recvWindow is no number in its range")
            raise BinanceError(
                -1131, "recvWindow must be less than 60000." if wide < 0 or wide > LONGEST_WINDOW_MS else "Invalid timestamp."
            )
        # Microseconds are accepted as well.
        given = int(raw) / 1000 if len(raw) > 14 else float(raw)
        skew = self.skew(account.name, seen.source)
        here = (seen.at + skew) * 1000
        text = None
        if given >= here + AHEAD_MS:
            text = "Timestamp for this request was 1000ms ahead of the server's time."
        elif here - given > wide:
            text = "Timestamp for this request is outside of the recvWindow."
        if text is None:
            seen.ok("timestamp")
            return
        # Whom the cruelty strikes cannot have known it; what it does then is judged by what it sends next.
        if not skew:
            seen.bad("timestamp", "%.0f ms off the venue's clock, window %.0f ms" % (given - here, wide))
        raise BinanceError(-1021, text)

    def _right(self, seen: Seen, key: Key, account: Account, endpoint: Endpoint) -> None:
        if not endpoint.rights:
            return
        if not self._exchange.cruelties.active and not set(key.rights).isdisjoint(endpoint.rights):
            seen.ok("key_right")
            return
        removed: set[str] = set()
        for item in self._exchange.cruelties_of("right_removed", account.name, seen.source):
            removed.update(REMOVED.get(str(item.params["right"]), (str(item.params["right"]),)))
        if not any(right in key.rights and right not in removed for right in endpoint.rights):
            if not removed.intersection(endpoint.rights):
                seen.bad("key_right", "%s needs %s" % (seen.endpoint, " or ".join(endpoint.rights)))
            raise BinanceError(*INVALID_KEY, status=401)
        seen.ok("key_right")
