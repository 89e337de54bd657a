"""Who calls: key, address, signature, nonce, right and call counter, in the order in which the venue checks them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...accounts import Account
from ...keys import Key
from ...seen import Seen
from .errors import KrakenError
from .sign import matches

if TYPE_CHECKING:
    from ...core import Exchange

ALL_RIGHTS = (
    "query-funds",
    "add-funds",
    "withdraw-funds",
    "earn-funds",
    "query-open-trades",
    "query-closed-trades",
    "modify-trades",
    "close-trades",
    "query-ledger",
    "export-data",
    "create-ws-token",
    "add-withdraw-address",
    "update-withdraw-address",
)
#: endpoint -> rights of which one is enough; () = none needed
RIGHTS: dict[str, tuple[str, ...]] = {
    "Balance": ("query-funds",),
    "BalanceEx": ("query-funds",),
    "TradeBalance": ("query-funds",),
    "TradeVolume": ("query-funds",),
    "CreditLines": ("query-funds",),
    "OpenOrders": ("query-open-trades",),
    "ClosedOrders": ("query-closed-trades",),
    "QueryOrders": ("query-open-trades", "query-closed-trades"),
    "TradesHistory": ("query-closed-trades",),
    "QueryTrades": ("query-closed-trades",),
    "OpenPositions": ("query-open-trades",),
    "OrderAmends": ("query-open-trades", "query-closed-trades"),
    "Ledgers": ("query-ledger",),
    "QueryLedgers": ("query-ledger",),
    "AddOrder": ("modify-trades",),
    "AddOrderBatch": ("modify-trades",),
    "AmendOrder": ("modify-trades",),
    "EditOrder": ("modify-trades",),
    "CancelOrder": ("modify-trades", "close-trades"),
    "CancelOrderBatch": ("modify-trades", "close-trades"),
    "CancelAll": ("modify-trades", "close-trades"),
    "CancelAllOrdersAfter": ("modify-trades", "close-trades"),
    "GetWebSocketsToken": ("create-ws-token",),
    "GetApiKeyInfo": (),
    "DepositMethods": ("add-funds",),
    "DepositAddresses": ("add-funds",),
    "DepositStatus": ("query-funds",),
    "WithdrawMethods": ("withdraw-funds",),
    "WithdrawAddresses": ("withdraw-funds",),
    "WithdrawInfo": ("withdraw-funds",),
    "Withdraw": ("withdraw-funds",),
    "WithdrawStatus": ("withdraw-funds", "query-ledger"),
    "WithdrawCancel": ("withdraw-funds",),
    "WalletTransfer": ("withdraw-funds",),
}
#: cost on the REST counter; the trading calls count on the engine's own counter
COSTS = {
    "Ledgers": 2.0,
    "QueryLedgers": 2.0,
    "TradesHistory": 2.0,
    "QueryTrades": 2.0,
    "AddOrder": 0.0,
    "AddOrderBatch": 0.0,
    "AmendOrder": 0.0,
    "EditOrder": 0.0,
    "CancelOrder": 0.0,
    "CancelOrderBatch": 0.0,
}
#: so many failed authentications in a row lock an address out for LOCKOUT_S exchange seconds (support text: about 15 minutes)
LOCKOUT_AFTER, LOCKOUT_S = 20, 900.0
_NONE: frozenset[str] = frozenset()


class Gate:
    """Checks a private request; each check writes its verdict into the record."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def known(self, seen: Seen, key_id: str) -> Optional[Key]:
        """Return the key of a header without judging anything, for the scope of cruelties."""
        key = self._exchange.keys.by_id.get(key_id)
        return key if key is not None and key.venue == "kraken" else None

    def check(self, seen: Seen, key: Optional[Key], path: str, nonce: str, body: bytes, sign: str) -> tuple[Key, Account]:
        """Return key and account of a request that may go on. Raises KrakenError with the venue's words."""
        exchange, now = self._exchange, seen.at
        self._locked(seen.source, now)
        account = exchange.engine.accounts.get(key.account) if key is not None else None
        revoked = key is not None and (
            key.revoked or bool(key.valid_until and now > key.valid_until) or exchange.cruelty("key_revoked", key.account) is not None
        )
        if key is None or account is None or revoked:
            if not (key is not None and exchange.cruelty("key_revoked", key.account)):
                seen.bad("key_known", "the key is not known, revoked or expired")
            self._failed(seen.source, now)
            raise KrakenError("EAPI:Invalid key")
        seen.ok("key_known")
        if not key.allows(seen.source):
            seen.bad("ip", "address not on the key's allow-list")
            self._failed(seen.source, now)
            raise KrakenError("EGeneral:Permission denied")
        seen.ok("ip")
        if not nonce or not matches(key.secret, path, nonce, body, sign):
            seen.bad("signature", "API-Sign is not the signature of what was sent")
            self._failed(seen.source, now)
            raise KrakenError("EAPI:Invalid signature")
        seen.ok("signature")
        exchange.failures.pop(seen.source, None)
        exchange.addresses[seen.source] = account.name
        exchange.judge.writer(seen, account, key.id)
        if not nonce.isdigit() or len(nonce) > 20 or not key.take_nonce(int(nonce)):
            seen.bad("nonce_rising", "nonce %s, highest so far %d, window %d" % (nonce[:24], key.nonce, key.nonce_window))
            raise KrakenError("EAPI:Invalid nonce")
        seen.ok("nonce_rising")
        exchange.used(key)
        return key, account

    def allow(self, seen: Seen, key: Key, account: Account, endpoint: str) -> None:
        """Check right and call counter. Raises KrakenError."""
        needed = RIGHTS[endpoint]
        struck = self._exchange.cruelties_of("right_removed", account.name)
        removed = {str(item.params["right"]) for item in struck} if struck else _NONE
        rights = set(key.rights).difference(removed) if removed else key.rights
        if needed and not any(right in rights for right in needed):
            if not removed.intersection(needed):
                seen.bad("key_right", "%s needs %s" % (endpoint, " or ".join(needed)))
            raise KrakenError("EGeneral:Permission denied")
        seen.ok("key_right")
        if not self._exchange.rest_counter(key, account).take(COSTS.get(endpoint, 1.0), seen.at):
            seen.bad("rate_budget", "the key's call counter exceeds its limit")
            raise KrakenError("EAPI:Rate limit exceeded")
        seen.ok("rate_budget")

    def _failed(self, source: str, now: float) -> None:
        history = self._exchange.failures.setdefault(source, [])
        history.append(now)
        del history[:-LOCKOUT_AFTER]

    def _locked(self, source: str, now: float) -> None:
        history = self._exchange.failures.get(source, [])
        if len(history) >= LOCKOUT_AFTER and now - history[-1] < LOCKOUT_S:
            raise KrakenError("EGeneral:Temporary lockout")
