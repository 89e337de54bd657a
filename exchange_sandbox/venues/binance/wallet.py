"""Binance's wallet endpoints under /sapi: key restrictions, coins, fees, transfers between wallets, and withdrawals that never happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...money import ZERO
from ...orders import Refusal
from ...positions import WALLET
from .call import SIGNED, Call, Endpoint
from .errors import BinanceError
from .gate import ALL_RIGHTS, READ, TRANSFER, WITHDRAW
from .instruments import COINS, SYMBOLS
from .spot_account import RATE
from .wire import ms, short

if TYPE_CHECKING:
    from ...core import Exchange

#: transfer types of /sapi/v1/asset/transfer: from the spot wallet to futures and back
_TRANSFERS = {"MAIN_UMFUTURE": True, "UMFUTURE_MAIN": False}


class Wallet:
    """Handlers under /sapi."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        read, base = (READ,), "/sapi/"
        refuse = Endpoint(self.withdraw, SIGNED, (WITHDRAW,), 600)
        return {
            ("GET", base + "v1/system/status"): Endpoint(self.status),
            ("GET", base + "v1/account/apiRestrictions"): Endpoint(self.restrictions, SIGNED, read),
            ("GET", base + "v1/account/status"): Endpoint(lambda call: {"data": "Normal"}, SIGNED, read),
            ("GET", base + "v1/account/apiTradingStatus"): Endpoint(self.trading_status, SIGNED, read),
            ("GET", base + "v1/capital/config/getall"): Endpoint(self.coins, SIGNED, read, 10),
            ("GET", base + "v1/asset/tradeFee"): Endpoint(self.fees, SIGNED, read),
            ("POST", base + "v3/asset/getUserAsset"): Endpoint(self.assets, SIGNED, read, 5, alias="Balance"),
            ("POST", base + "v1/asset/transfer"): Endpoint(self.transfer, SIGNED, (TRANSFER,), 900),
            ("GET", base + "v1/margin/allPairs"): Endpoint(lambda call: [], SIGNED, read),
            ("GET", base + "v1/margin/isolated/allPairs"): Endpoint(lambda call: [], SIGNED, read, 10),
            ("GET", base + "v1/capital/deposit/hisrec"): Endpoint(lambda call: [], SIGNED, read),
            ("GET", base + "v1/capital/withdraw/history"): Endpoint(lambda call: [], SIGNED, read, 18000),
            ("POST", base + "v1/capital/withdraw/apply"): refuse,
            ("POST", base + "v1/localentity/withdraw/apply"): refuse,
        }

    def status(self, call: Call) -> Any:
        down = self._exchange.cruelty("maintenance", call.seen.account, call.seen.source) is not None
        return {"status": 1, "msg": "system maintenance"} if down else {"status": 0, "msg": "normal"}

    def restrictions(self, call: Call) -> Any:
        """The key's own rights. The address list itself is never told, only whether there is one."""
        key = call.key
        assert key is not None
        removed = {str(item.params["right"]) for item in self._exchange.cruelties_of("right_removed", call.account.name)}
        rights = {name: name in key.rights and name not in removed for name in ALL_RIGHTS}
        return {"ipRestrict": bool(key.ip_allowlist), "createTime": ms(key.created), **rights}

    def trading_status(self, call: Call) -> Any:
        return {
            "data": {"isLocked": False, "plannedRecoverTime": 0, "triggerCondition": {"GCR": 150, "IFER": 150, "UFR": 300}, "updateTime": 0}
        }

    def coins(self, call: Call) -> Any:
        account = call.account
        return [
            {
                "coin": coin,
                "depositAllEnable": False,
                "withdrawAllEnable": False,
                "name": name,
                "free": short(account.available(coin)),
                "locked": short(account.held(coin)),
                "freeze": "0",
                "withdrawing": "0",
                "ipoing": "0",
                "ipoable": "0",
                "storage": "0",
                "isLegalMoney": False,
                "trading": True,
                "networkList": [
                    {
                        "network": coin,
                        "coin": coin,
                        "withdrawIntegerMultiple": "0.00000001",
                        "isDefault": True,
                        "depositEnable": False,
                        "withdrawEnable": False,
                        "depositDesc": "rehearsal",
                        "withdrawDesc": "rehearsal",
                        "name": name,
                        "withdrawFee": "0",
                        "withdrawMin": "0",
                        "withdrawMax": "0",
                        "minConfirm": 1,
                        "unLockConfirm": 0,
                        "sameAddress": False,
                    }
                ],
            }
            for coin, name in COINS.items()
        ]

    def fees(self, call: Call) -> Any:
        one = call.params.get("symbol")
        return [
            {"symbol": item.id, "makerCommission": RATE, "takerCommission": RATE}
            for item in SYMBOLS
            if not item.contract and item.instrument.symbol in self._exchange.engine.books and (not one or item.id == one)
        ]

    def assets(self, call: Call) -> Any:
        account = call.account
        return [
            {
                "asset": name,
                "free": short(account.available(name)),
                "locked": short(account.held(name)),
                "freeze": "0",
                "withdrawing": "0",
                "ipoable": "0",
                "btcValuation": "0",
            }
            for name, amount in sorted(account.balances.items())
            if amount and not name.startswith(WALLET)
        ]

    def transfer(self, call: Call) -> Any:
        """Move an asset between the spot and the futures wallet of the same account."""
        kind, asset = call.needed("type"), call.needed("asset")
        amount = call.number("amount") or ZERO
        if kind not in _TRANSFERS or asset != "USDT" or amount <= 0:
            call.seen.bad("protocol", "transfer %s of %s" % (kind[:20], asset[:10]))
            raise BinanceError(-1102, "Mandatory parameter 'type' was not sent, was empty/null, or malformed.")
        engine, now = self._exchange.engine, call.now
        source, target = (asset, WALLET + asset) if _TRANSFERS[kind] else (WALLET + asset, asset)
        try:
            engine.deposit(call.account, source, -amount, now, "transfer")
        except Refusal:
            raise BinanceError(-5013, "Asset transfer failed: insufficient balance") from None
        engine.deposit(call.account, target, amount, now, "transfer")
        self._exchange.publish()
        return {"tranId": engine.ids.number("transfer")}

    def withdraw(self, call: Call) -> Any:
        """Nothing ever leaves; that somebody asked is a scandal and was recorded as such before the key was looked at."""
        raise BinanceError(-4026, "User has insufficient balance")
