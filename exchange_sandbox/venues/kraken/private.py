"""Kraken's private REST endpoints."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...accounts import Account
from ...keys import Key
from ...money import ZERO, fixed, parse
from ...orders import Order
from ...seen import Seen
from .errors import KrakenError
from .forms import amend_info, amount, ledger_info, market_positions, order_info, position_info, trade_info
from .instruments import ASSET_IDS, find_asset, find_pair
from .order_form import truthy
from .trading import Trading

if TYPE_CHECKING:
    from ...core import Exchange

Params = dict[str, Any]
PAGE = 50
TOKEN_S = 900.0


class Private:
    """Answers to a key that was let in."""

    def __init__(self, exchange: Exchange, trading: Trading) -> None:
        self._exchange, self._trading = exchange, trading
        #: WebSocket token -> (account, key id, expiry of first use)
        self.tokens: dict[str, tuple[str, str, float]] = {}
        self.endpoints: dict[str, Callable[[Seen, Key, Account, Params], Any]] = {
            "Balance": self._balance,
            "BalanceEx": self._balance_ex,
            "TradeBalance": self._trade_balance,
            "TradeVolume": self._trade_volume,
            "OpenOrders": self._open_orders,
            "ClosedOrders": self._closed_orders,
            "QueryOrders": self._query_orders,
            "TradesHistory": self._trades_history,
            "QueryTrades": self._query_trades,
            "OpenPositions": self._open_positions,
            "Ledgers": self._ledgers,
            "QueryLedgers": self._query_ledgers,
            "OrderAmends": self._order_amends,
            "CreditLines": lambda seen, key, account, params: None,
            "GetWebSocketsToken": self._token,
            "GetApiKeyInfo": self._key_info,
            "AddOrder": self._add,
            "AddOrderBatch": lambda seen, key, account, params: trading.batch(seen, account, params),
            "AmendOrder": lambda seen, key, account, params: trading.amend(seen, account, params),
            "EditOrder": lambda seen, key, account, params: trading.edit(seen, account, params),
            "CancelOrder": lambda seen, key, account, params: trading.cancel(seen, account, params),
            "CancelOrderBatch": lambda seen, key, account, params: trading.cancel_batch(seen, account, params),
            "CancelAll": lambda seen, key, account, params: trading.every(seen, account),
            "CancelAllOrdersAfter": lambda seen, key, account, params: trading.after(seen, account, params),
            "DepositMethods": lambda seen, key, account, params: [],
            "DepositAddresses": lambda seen, key, account, params: [],
            "DepositStatus": lambda seen, key, account, params: [],
            "WithdrawMethods": self._no_methods,
            "WithdrawAddresses": self._no_methods,
            "WithdrawStatus": self._no_methods,
            "WithdrawInfo": self._withdraw_info,
            "Withdraw": self._scandal,
            "WithdrawCancel": self._scandal,
            "WalletTransfer": self._scandal,
        }

    # -- money ---------------------------------------------------------------------------------------------------------

    def _balance(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        return {
            ASSET_IDS[asset]: amount(value, ASSET_IDS[asset]) for asset, value in sorted(account.balances.items()) if asset in ASSET_IDS
        }

    def _balance_ex(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        return {
            ASSET_IDS[asset]: {"balance": amount(value, ASSET_IDS[asset]), "hold_trade": amount(account.held(asset), ASSET_IDS[asset])}
            for asset, value in sorted(account.balances.items())
            if asset in ASSET_IDS
        }

    def _trade_balance(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        asset = str(params.get("asset") or "ZUSD")
        if find_asset(asset) is None:
            raise KrakenError("EQuery:Unknown asset")
        lending = self._exchange.engine.lending
        loans = lending.of(account)
        collateral, margin, profit = lending.collateral(account), lending.initial(account), lending.profit(account)
        waiting = [order for order in self._exchange.engine.open_by_account[account.name].values() if order.leverage]
        row = {
            "eb": collateral,
            "tb": collateral,
            "m": margin,
            "uv": sum((order.remaining * (order.limit_price or lending.mark(order.symbol)) for order in waiting), ZERO),
            "n": profit,
            "c": sum((loan.cost_left for loan in loans), ZERO),
            "v": sum((loan.left * lending.mark(loan.symbol) for loan in loans), ZERO),
            "e": collateral + profit,
            "mf": collateral + profit - margin,
        }
        level = lending.level(account)
        if level is not None:
            row["ml"] = level
        return {name: fixed(value, 4) for name, value in row.items()}

    def _open_positions(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        self._exchange.judge.asked(account.name)
        wanted = {item.strip() for item in str(params.get("txid", "")).split(",") if item.strip()}
        loans = [loan for loan in self._exchange.engine.lending.of(account) if not wanted or loan.id in wanted]
        full = truthy(params.get("docalcs", ""))
        if params.get("consolidation") == "market":
            return market_positions(loans, self._exchange.engine.index_price, full)
        return {loan.id: position_info(loan, self._exchange.engine.index_price[loan.symbol], full) for loan in loans}

    def _trade_volume(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        volume = account.volume_30d(seen.at)
        out: dict[str, Any] = {"currency": "ZUSD", "volume": fixed(volume, 4)}
        for name in [item for item in str(params.get("pair", "")).split(",") if item]:
            pair = find_pair(name[:32])
            if pair is None:
                raise KrakenError("EQuery:Unknown asset pair")
            for field, maker, table in (("fees", False, pair.instrument.taker_fees), ("fees_maker", True, pair.instrument.maker_fees)):
                rate = pair.instrument.fee_rate(maker, volume) * 100
                row = next(index for index in range(len(table) - 1, -1, -1) if volume >= table[index][0])
                following = table[row + 1] if row + 1 < len(table) else None
                out.setdefault(field, {})[pair.id] = {
                    "fee": fixed(rate, 4),
                    "minfee": fixed(_decimal(table[-1][1]), 4),
                    "maxfee": fixed(_decimal(table[0][1]), 4),
                    "nextfee": None if following is None else fixed(_decimal(following[1]), 4),
                    "nextvolume": None if following is None else fixed(_decimal(following[0]), 4),
                    "tiervolume": fixed(_decimal(table[row][0]), 4),
                }
        return out

    def _ledgers(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        wanted = (
            {find_asset(name) for name in str(params.get("asset") or "all").split(",")}
            if params.get("asset") not in (None, "", "all")
            else None
        )
        rows = [entry for entry in reversed(account.ledger) if wanted is None or ASSET_IDS.get(entry.asset) in wanted]
        start = _offset(params)
        shown = {entry.id: ledger_info(entry) for entry in rows[start : start + PAGE] if entry.asset in ASSET_IDS}
        return {"ledger": shown, "count": len(rows)}

    def _query_ledgers(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        wanted = {item.strip() for item in str(params.get("id", "")).split(",") if item.strip()}
        if not wanted or len(wanted) > 20:
            raise KrakenError("EGeneral:Invalid arguments:id")
        found = {entry.id: ledger_info(entry) for entry in account.ledger if entry.id in wanted and entry.asset in ASSET_IDS}
        if not found:
            raise KrakenError("EQuery:Unknown ledger")
        return found

    def _order_amends(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        """The terms of an order as placed, then each change of them."""
        order = self._exchange.engine.orders.get(str(params.get("order_id", "")))
        if order is None or order.account != account.name:
            raise KrakenError("EOrder:Unknown order")
        return {"count": len(order.amends), "amends": [amend_info(order, row) for row in order.amends]}

    # -- orders and trades ---------------------------------------------------------------------------------------------

    def _trades_of(self, order: Order, params: Params) -> list[str] | None:
        if not truthy(params.get("trades", "")):
            return None
        return [fill.id for fill in self._exchange.engine.accounts[order.account].fills if fill.order_id == order.id]

    def _info(self, orders: list[Order], params: Params) -> dict[str, Any]:
        return {order.id: order_info(order, self._trades_of(order, params)) for order in orders}

    def _matching(self, orders: list[Order], params: Params) -> list[Order]:
        ref, client_id = params.get("userref"), params.get("cl_ord_id")
        return [
            order for order in orders if (not ref or str(order.user_ref) == str(ref)) and (not client_id or order.client_id == client_id)
        ]

    def _open_orders(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        self._exchange.judge.asked(account.name)
        return {"open": self._info(self._matching(list(self._exchange.engine.open_by_account[account.name].values()), params), params)}

    def _closed_orders(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        self._exchange.judge.asked(account.name)
        closed = [order for order in self._exchange.engine.orders_of(account.name) if not order.is_open]
        rows = sorted(
            self._matching(_window(closed, params, lambda order: order.closed or 0.0), params),
            key=lambda order: order.closed or 0.0,
            reverse=True,
        )
        start = _offset(params)
        return {"closed": self._info(rows[start : start + PAGE], params), "count": len(rows)}

    def _query_orders(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        ids = [item.strip() for item in str(params.get("txid", "")).split(",") if item.strip()]
        client_id = str(params.get("cl_ord_id", ""))
        if (not ids and not client_id) or len(ids) > PAGE:
            raise KrakenError("EGeneral:Invalid arguments:txid")
        self._exchange.judge.asked(account.name)
        engine = self._exchange.engine
        if client_id and not ids:
            found = [order for order in engine.orders_of(account.name) if order.client_id == client_id]
        else:
            found = [engine.orders[item] for item in ids if item in engine.orders and engine.orders[item].account == account.name]
        if not found:
            raise KrakenError("EOrder:Unknown order")
        return self._info(self._matching(found, {**params, "cl_ord_id": ""}), params)

    def _trades_history(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        self._exchange.judge.asked(account.name)
        rows = list(reversed(_window(account.fills, params, lambda fill: fill.at)))
        start = _offset(params)
        return {"trades": {fill.id: trade_info(fill) for fill in rows[start : start + PAGE]}, "count": len(rows)}

    def _query_trades(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        wanted = {item.strip() for item in str(params.get("txid", "")).split(",") if item.strip()}
        if not wanted or len(wanted) > 20:
            raise KrakenError("EGeneral:Invalid arguments:txid")
        found = {fill.id: trade_info(fill) for fill in account.fills if fill.id in wanted}
        if not found:
            raise KrakenError("EQuery:Unknown trade")
        return found

    def _add(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        return self._trading.add(seen, account, self._trading.form(seen, account, params))

    # -- key -----------------------------------------------------------------------------------------------------------

    def _token(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        self.tokens = {token: row for token, row in self.tokens.items() if row[2] > seen.at}
        token = base64.b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        self.tokens[token] = (account.name, key.id, seen.at + TOKEN_S)
        return {"token": token, "expires": int(TOKEN_S)}

    def _key_info(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        iban = hashlib.sha256(account.name.encode()).hexdigest().upper()
        return {
            "apiKeyName": key.name,
            "apiKey": key.id,
            "nonce": str(key.nonce),
            "nonceWindow": key.nonce_window,
            "permissions": list(key.rights),
            "iban": "AA%s SAND BOX%s" % (iban[:2], iban[2:3]),
            "validUntil": str(int(key.valid_until)),
            "queryFrom": "0",
            "queryTo": "0",
            "createdTime": str(int(key.created)),
            "modifiedTime": str(int(key.created)),
            "ipAllowlist": list(key.ip_allowlist),
            "lastUsed": None if key.last_used is None else str(int(key.last_used)),
        }

    # -- funding: nothing ever leaves ----------------------------------------------------------------------------------

    def _no_methods(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        return []

    def _withdraw_info(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        raise KrakenError("EFunding:Unknown withdraw key")

    def _scandal(self, seen: Seen, key: Key, account: Account, params: Params) -> Any:
        raise KrakenError("EGeneral:Permission denied")


def _decimal(value: object) -> Any:
    return parse(value)


def _offset(params: Params) -> int:
    try:
        return max(0, int(str(params.get("ofs") or 0)))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:ofs") from None


def _window(items: list[Any], params: Params, at: Callable[[Any], float]) -> list[Any]:
    try:
        start, end = (float(str(params.get(name) or 0)) for name in ("start", "end"))
    except ValueError:
        raise KrakenError("EGeneral:Invalid arguments:start") from None
    return [item for item in items if at(item) > start and (not end or at(item) <= end)]
