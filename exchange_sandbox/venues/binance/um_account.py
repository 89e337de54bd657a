"""Binance USD-M futures: account, balances, positions, modes, leverage, margin, income."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ...accounts import Account, LedgerEntry
from ...money import ZERO, fixed
from ...positions import BOTH, CROSS, ISOLATED, LONG, SHORT, WALLET, Position
from .call import SIGNED, Call, Endpoint
from .errors import BinanceError
from .forms import um_order
from .gate import FUTURES, READ
from .instruments import BY_SYMBOL, SYMBOLS, USDM, Symbol
from .order_form import choice, mine
from .wire import eight, ms, qty

if TYPE_CHECKING:
    from ...core import Exchange

USDT = WALLET + "USDT"
#: ledger kinds of the sandbox -> income types of the venue
_INCOME = {
    "funding": "FUNDING_FEE",
    "insurance": "INSURANCE_CLEAR",
    "transfer": "TRANSFER",
    "deposit": "TRANSFER",
    "adjustment": "TRANSFER",
}


class Figures:
    """What the venue computes about a futures account; used by REST and by the user data stream."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def liquidation_price(self, account: Account, position: Position) -> Decimal:
        """Return the mark price at which the margin is used up, other things equal (0 = none above 0). Binance's published formula."""
        margin, engine = self._exchange.engine.margin, self._exchange.engine
        contract = engine.instruments[position.symbol].contract
        if not position.qty or contract is None:
            return ZERO
        step = contract.bracket(abs(position.qty) * margin.mark(position.symbol))
        if margin.is_isolated(account, position):
            wallet = position.isolated
        else:
            others = [item for item in margin.open_of(account, USDT) if item is not position and not margin.is_isolated(account, item)]
            wallet = margin.cross_wallet(account, USDT)
            wallet += sum((item.profit(margin.mark(item.symbol)) - margin.maintenance(item) for item in others), ZERO)
        size, side = abs(position.qty), 1 if position.qty > 0 else -1
        below = size * step.maintenance - side * size
        return max(ZERO, (wallet + step.cum - position.cost) / below) if below else ZERO

    def break_even(self, symbol: Symbol, position: Position) -> Decimal:
        """Return the price at which closing as taker pays the fees of both ways."""
        rate = symbol.instrument.fee_rate(False, ZERO)
        side = 1 if position.qty > 0 else -1
        return position.entry * (1 + side * rate) / (1 - side * rate) if position.qty else ZERO

    def position(self, account: Account, symbol: Symbol, position: Position) -> dict[str, Any]:
        """One row of positionRisk v3."""
        item, margin = symbol.instrument, self._exchange.engine.margin
        mark = margin.mark(item.symbol)
        isolated = margin.is_isolated(account, position)
        profit = position.profit(mark)
        orders = [order for order in self._exchange.engine.open_by_account[account.name].values() if order.symbol == item.symbol]
        held = sum((order.held for order in orders), ZERO)
        initial = margin.initial(account, position)
        notional = {
            side: sum(
                (order.remaining * (order.limit_price or mark) for order in orders if order.side == side and order.status == "open"), ZERO
            )
            for side in ("buy", "sell")
        }
        return {
            "symbol": symbol.id,
            "positionSide": position.side,
            "positionAmt": qty(position.qty, item),
            "entryPrice": short_price(position.entry),
            "breakEvenPrice": short_price(self.break_even(symbol, position)),
            "markPrice": eight(mark),
            "unRealizedProfit": eight(profit),
            "liquidationPrice": short_price(self.liquidation_price(account, position)) if position.qty else "0",
            "isolatedMargin": eight(position.isolated + profit) if isolated and position.qty else "0",
            "notional": eight(position.qty * mark),
            "marginAsset": "USDT",
            "isolatedWallet": eight(position.isolated) if isolated and position.qty else "0",
            "initialMargin": eight(initial + held),
            "maintMargin": eight(margin.maintenance(position)),
            "positionInitialMargin": eight(initial),
            "openOrderInitialMargin": eight(held),
            "adl": 1 if position.qty else 0,
            "bidNotional": eight(notional["buy"]),
            "askNotional": eight(notional["sell"]),
            "updateTime": ms(position.updated),
        }

    def old_position(self, account: Account, symbol: Symbol, position: Position) -> dict[str, Any]:
        """One row of positionRisk v2: with leverage and margin type."""
        row = self.position(account, symbol, position)
        leverage = account.futures.leverage_of(symbol.instrument.symbol)
        contract = symbol.instrument.contract
        assert contract is not None
        most = max((step.cap for step in contract.brackets if step.leverage >= leverage), default=ZERO)
        kept = (
            "symbol",
            "positionAmt",
            "entryPrice",
            "breakEvenPrice",
            "markPrice",
            "unRealizedProfit",
            "liquidationPrice",
            "isolatedMargin",
            "notional",
            "isolatedWallet",
            "positionSide",
            "updateTime",
        )
        return {
            **{name: row[name] for name in kept},
            "leverage": str(leverage),
            "maxNotionalValue": format(most, "f"),
            "marginType": account.futures.margin_of(symbol.instrument.symbol),
            "isAutoAddMargin": "false",
            "isolated": account.futures.margin_of(symbol.instrument.symbol) == ISOLATED,
            "adlQuantile": row["adl"],
        }

    def wallet(self, account: Account) -> dict[str, Decimal]:
        """Return the sums of the USDT wallet."""
        margin = self._exchange.engine.margin
        opened = margin.open_of(account, USDT)
        profit = sum((item.profit(margin.mark(item.symbol)) for item in opened), ZERO)
        initial = sum((margin.initial(account, item) for item in opened), ZERO)
        held = account.held(USDT)
        return {
            "wallet": account.balance(USDT),
            "profit": profit,
            "balance": account.balance(USDT) + profit,
            "maintenance": sum((margin.maintenance(item) for item in opened), ZERO),
            "position": initial,
            "orders": held,
            "initial": initial + held,
            "cross_wallet": margin.cross_wallet(account, USDT),
            "cross_profit": margin.cross_profit(account, USDT),
            "available": max(ZERO, margin.available(account, USDT)),
            "withdrawable": margin.withdrawable(account, USDT),
        }


def short_price(value: Decimal) -> str:
    """Return a computed price: as many decimals as it has, at most eight."""
    text = fixed(value, 8)
    return text.rstrip("0").rstrip(".") if value else "0.0"


class UmAccount:
    """Handlers under /fapi that tell and change the account."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self.figures = exchange, Figures(exchange)

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        trade, read, base = (FUTURES,), (READ, FUTURES), "/fapi/"
        return {
            ("GET", base + "v2/account"): Endpoint(self.account_v2, SIGNED, read, 5, alias="Balance"),
            ("GET", base + "v3/account"): Endpoint(self.account_v3, SIGNED, read, 5, alias="Balance"),
            ("GET", base + "v2/balance"): Endpoint(self.balance, SIGNED, read, 5, alias="Balance"),
            ("GET", base + "v3/balance"): Endpoint(self.balance, SIGNED, read, 5, alias="Balance"),
            ("GET", base + "v2/positionRisk"): Endpoint(self.risk_v2, SIGNED, read, 5),
            ("GET", base + "v3/positionRisk"): Endpoint(self.risk_v3, SIGNED, read, 5),
            ("GET", base + "v1/positionSide/dual"): Endpoint(self.dual, SIGNED, read, 30),
            ("POST", base + "v1/positionSide/dual"): Endpoint(self.set_dual, SIGNED, trade),
            ("GET", base + "v1/multiAssetsMargin"): Endpoint(self.multi, SIGNED, read, 30),
            ("POST", base + "v1/multiAssetsMargin"): Endpoint(self.set_multi, SIGNED, trade),
            ("POST", base + "v1/leverage"): Endpoint(self.leverage, SIGNED, trade),
            ("POST", base + "v1/marginType"): Endpoint(self.margin_type, SIGNED, trade),
            ("POST", base + "v1/positionMargin"): Endpoint(self.position_margin, SIGNED, trade),
            ("GET", base + "v1/leverageBracket"): Endpoint(self.brackets, SIGNED, read),
            ("GET", base + "v1/income"): Endpoint(self.income, SIGNED, read, 30),
            ("GET", base + "v1/commissionRate"): Endpoint(self.commission, SIGNED, read, 20),
            ("GET", base + "v1/accountConfig"): Endpoint(self.config, SIGNED, read, 5),
            ("GET", base + "v1/symbolConfig"): Endpoint(self.symbol_config, SIGNED, read, 5),
            ("GET", base + "v1/forceOrders"): Endpoint(self.force_orders, SIGNED, read, 20),
            ("GET", base + "v1/adlQuantile"): Endpoint(self.adl, SIGNED, read, 5),
            ("GET", base + "v1/apiTradingStatus"): Endpoint(lambda call: {"indicators": {}, "updateTime": ms(call.now)}, SIGNED, read),
        }

    # -- positions -----------------------------------------------------------------------------------------------------

    def _symbols(self, call: Call) -> list[Symbol]:
        one = call.symbol_or_none()
        if one is not None:
            return [one]
        return [item for item in SYMBOLS if item.market == USDM and item.instrument.symbol in self._exchange.engine.books]

    def _positions(self, account: Account, symbol: Symbol) -> list[Position]:
        """Return the positions of a symbol as the mode has them: one, or a long and a short."""
        sides = (LONG, SHORT) if account.futures.dual else (BOTH,)
        return [account.futures.of(symbol.instrument.symbol, side) for side in sides]

    def risk_v3(self, call: Call) -> Any:
        """Only what is open or has orders, as v3 does."""
        busy = {order.symbol for order in self._exchange.engine.open_by_account[call.account.name].values()}
        return [
            self.figures.position(call.account, symbol, item)
            for symbol in self._symbols(call)
            for item in self._positions(call.account, symbol)
            if item.qty or symbol.instrument.symbol in busy
        ]

    def risk_v2(self, call: Call) -> Any:
        return [
            self.figures.old_position(call.account, symbol, item)
            for symbol in self._symbols(call)
            for item in self._positions(call.account, symbol)
        ]

    def adl(self, call: Call) -> Any:
        rows = [
            {"symbol": symbol.id, "adlQuantile": {item.side: 1 if item.qty else 0 for item in self._positions(call.account, symbol)}}
            for symbol in self._symbols(call)
            if any(item.qty for item in self._positions(call.account, symbol))
        ]
        return rows[0] if call.params.get("symbol") and rows else rows

    # -- account -------------------------------------------------------------------------------------------------------

    def _totals(self, account: Account) -> dict[str, Any]:
        sums = self.figures.wallet(account)
        return {
            "totalInitialMargin": eight(sums["initial"]),
            "totalMaintMargin": eight(sums["maintenance"]),
            "totalWalletBalance": eight(sums["wallet"]),
            "totalUnrealizedProfit": eight(sums["profit"]),
            "totalMarginBalance": eight(sums["balance"]),
            "totalPositionInitialMargin": eight(sums["position"]),
            "totalOpenOrderInitialMargin": eight(sums["orders"]),
            "totalCrossWalletBalance": eight(sums["cross_wallet"]),
            "totalCrossUnPnl": eight(sums["cross_profit"]),
            "availableBalance": eight(sums["available"]),
            "maxWithdrawAmount": eight(sums["withdrawable"]),
        }

    def _asset(self, account: Account) -> dict[str, Any]:
        sums = self.figures.wallet(account)
        return {
            "asset": "USDT",
            "walletBalance": eight(sums["wallet"]),
            "unrealizedProfit": eight(sums["profit"]),
            "marginBalance": eight(sums["balance"]),
            "maintMargin": eight(sums["maintenance"]),
            "initialMargin": eight(sums["initial"]),
            "positionInitialMargin": eight(sums["position"]),
            "openOrderInitialMargin": eight(sums["orders"]),
            "crossWalletBalance": eight(sums["cross_wallet"]),
            "crossUnPnl": eight(sums["cross_profit"]),
            "availableBalance": eight(sums["available"]),
            "maxWithdrawAmount": eight(sums["withdrawable"]),
            "marginAvailable": True,
            "updateTime": ms(_changed(account)),
        }

    def account_v3(self, call: Call) -> Any:
        account = call.account
        names = (
            "symbol",
            "positionSide",
            "positionAmt",
            "isolatedMargin",
            "notional",
            "isolatedWallet",
            "initialMargin",
            "maintMargin",
            "updateTime",
        )
        rows = [
            {
                **{name: row[name] for name in names},
                "unrealizedProfit": row["unRealizedProfit"],
                "entryPrice": row["entryPrice"],
                "breakEvenPrice": row["breakEvenPrice"],
                "positionInitialMargin": row["positionInitialMargin"],
                "openOrderInitialMargin": row["openOrderInitialMargin"],
            }
            for row in self.risk_v3(Call(call.exchange, call.seen, call.market, {}, call.key, call.owner))
        ]
        return {**self._totals(account), "assets": [self._asset(account)], "positions": rows}

    def account_v2(self, call: Call) -> Any:
        account = call.account
        rows = []
        for symbol in self._symbols(Call(call.exchange, call.seen, call.market, {}, call.key, call.owner)):
            for item in self._positions(account, symbol):
                row, old = self.figures.position(account, symbol, item), self.figures.old_position(account, symbol, item)
                rows.append(
                    {
                        "symbol": symbol.id,
                        "initialMargin": row["initialMargin"],
                        "maintMargin": row["maintMargin"],
                        "unrealizedProfit": row["unRealizedProfit"],
                        "positionInitialMargin": row["positionInitialMargin"],
                        "openOrderInitialMargin": row["openOrderInitialMargin"],
                        "leverage": old["leverage"],
                        "isolated": old["isolated"],
                        "entryPrice": row["entryPrice"],
                        "breakEvenPrice": row["breakEvenPrice"],
                        "maxNotional": old["maxNotionalValue"],
                        "positionSide": row["positionSide"],
                        "positionAmt": row["positionAmt"],
                        "notional": row["notional"],
                        "isolatedWallet": row["isolatedWallet"],
                        "updateTime": row["updateTime"],
                        "bidNotional": row["bidNotional"],
                        "askNotional": row["askNotional"],
                    }
                )
        return {
            "feeTier": 0,
            "feeBurn": False,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "updateTime": 0,
            "multiAssetsMargin": account.futures.multi_assets,
            "tradeGroupId": -1,
            **self._totals(account),
            "assets": [self._asset(account)],
            "positions": rows,
        }

    def balance(self, call: Call) -> Any:
        sums = self.figures.wallet(call.account)
        return [
            {
                "accountAlias": "SgsR",
                "asset": "USDT",
                "balance": eight(sums["wallet"]),
                "crossWalletBalance": eight(sums["cross_wallet"]),
                "crossUnPnl": eight(sums["cross_profit"]),
                "availableBalance": eight(sums["available"]),
                "maxWithdrawAmount": eight(sums["withdrawable"]),
                "marginAvailable": True,
                "updateTime": ms(_changed(call.account)),
            }
        ]

    def config(self, call: Call) -> Any:
        futures = call.account.futures
        return {
            "feeTier": 0,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": futures.dual,
            "updateTime": 0,
            "multiAssetsMargin": futures.multi_assets,
            "tradeGroupId": -1,
        }

    def symbol_config(self, call: Call) -> Any:
        futures, out = call.account.futures, []
        for symbol in self._symbols(call):
            name, contract = symbol.instrument.symbol, symbol.instrument.contract
            assert contract is not None
            leverage = futures.leverage_of(name)
            out.append(
                {
                    "symbol": symbol.id,
                    "marginType": "CROSSED" if futures.margin_of(name) == CROSS else "ISOLATED",
                    "isAutoAddMargin": False,
                    "leverage": leverage,
                    "maxNotionalValue": format(
                        max((step.cap for step in contract.brackets if step.leverage >= leverage), default=ZERO), "f"
                    ),
                }
            )
        return out

    # -- modes ---------------------------------------------------------------------------------------------------------

    def dual(self, call: Call) -> Any:
        return {"dualSidePosition": call.account.futures.dual}

    def set_dual(self, call: Call) -> Any:
        call.needed("dualSidePosition")
        wanted, futures = call.flag("dualSidePosition"), call.account.futures
        if wanted == futures.dual:
            raise BinanceError(-4059, "No need to change position side.")
        if any(
            self._exchange.engine.instruments[order.symbol].contract
            for order in self._exchange.engine.open_by_account[call.account.name].values()
        ):
            raise BinanceError(-4067, "Position side cannot be changed if there exists open orders.")
        if futures.open():
            raise BinanceError(-4068, "Position side cannot be changed if there exists position.")
        futures.dual = wanted
        return self._chosen(call)

    def _chosen(self, call: Call) -> dict[str, Any]:
        self._exchange.engine.choose_modes(call.account)
        self._exchange.publish()
        return {"code": 200, "msg": "success"}

    def multi(self, call: Call) -> Any:
        return {"multiAssetsMargin": call.account.futures.multi_assets}

    def set_multi(self, call: Call) -> Any:
        call.needed("multiAssetsMargin")
        wanted, futures = call.flag("multiAssetsMargin"), call.account.futures
        if wanted == futures.multi_assets:
            raise BinanceError(-4171, "No need to change Multi-Assets Mode.")
        futures.multi_assets = wanted
        return self._chosen(call)

    def leverage(self, call: Call) -> Any:
        symbol = call.symbol()
        call.needed("leverage")
        value = call.integer("leverage", None, 1, 10_000) or 1
        item, account = symbol.instrument, call.account
        assert item.contract is not None
        if value > item.contract.brackets[0].leverage:
            raise BinanceError(-4028, "Leverage %d is not valid" % value)
        notional = max(
            (abs(position.qty) * self._exchange.engine.margin.mark(item.symbol) for position in self._positions(account, symbol)),
            default=ZERO,
        )
        if value > item.contract.bracket(notional).leverage:
            raise BinanceError(-2028, "Leverage is smaller than permitted: insufficient margin balance")
        before = account.futures.leverage_of(item.symbol)
        if value < before and account.futures.margin_of(item.symbol) == ISOLATED and notional:
            raise BinanceError(-4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions.")
        account.futures.leverage[item.symbol] = value
        if value < before and notional and self._exchange.engine.margin.available(account, item.quote) < 0:
            account.futures.leverage[item.symbol] = before
            raise BinanceError(-2019, "Margin is insufficient.")
        self._chosen(call)
        most = max(step.cap for step in item.contract.brackets if step.leverage >= value)
        return {"leverage": value, "maxNotionalValue": format(most, "f"), "symbol": symbol.id}

    def margin_type(self, call: Call) -> Any:
        symbol = call.symbol()
        wanted = choice(call, "marginType", ("ISOLATED", "CROSSED"), (-4046, "Invalid marginType.")).lower()
        wanted = CROSS if wanted == "crossed" else ISOLATED
        futures, name = call.account.futures, symbol.instrument.symbol
        if futures.margin_of(name) == wanted:
            raise BinanceError(-4046, "No need to change margin type.")
        if mine(call, symbol):
            raise BinanceError(-4047, "Margin type cannot be changed if there exists open orders.")
        if any(item.qty for item in self._positions(call.account, symbol)):
            raise BinanceError(-4048, "Margin type cannot be changed if there exists position.")
        futures.margin[name] = wanted
        return self._chosen(call)

    def position_margin(self, call: Call) -> Any:
        """Add margin to an isolated position (type 1) or take some out (type 2)."""
        symbol = call.symbol()
        call.needed("amount")
        call.needed("type")
        amount, kind = call.number("amount") or ZERO, call.integer("type", None, 1, 2)
        side = choice(call, "positionSide", (BOTH, LONG, SHORT), (-1130, "Invalid positionSide."), BOTH)
        position, margin = call.account.futures.of(symbol.instrument.symbol, side), self._exchange.engine.margin
        if not position.qty or not margin.is_isolated(call.account, position):
            raise BinanceError(-4046, "Cannot add position margin: position is 0.")
        if amount <= 0:
            raise BinanceError(-4002, "Amount must be positive.")
        free = margin.available(call.account, USDT)
        room = position.isolated + min(ZERO, position.profit(margin.mark(position.symbol))) - margin.initial(call.account, position)
        if amount > (free if kind == 1 else room):
            raise BinanceError(-4051 if kind == 1 else -2019, "Cross balance insufficient." if kind == 1 else "Margin is insufficient.")
        position.isolated += amount if kind == 1 else -amount
        margin.note(call.account, position)
        self._exchange.publish()
        return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": kind}

    # -- tables and history --------------------------------------------------------------------------------------------

    def brackets(self, call: Call) -> Any:
        one, out = call.params.get("symbol"), []
        for symbol in self._symbols(call):
            contract = symbol.instrument.contract
            assert contract is not None
            floor, rows = ZERO, []
            for number, step in enumerate(contract.brackets, 1):
                rows.append(
                    {
                        "bracket": number,
                        "initialLeverage": step.leverage,
                        "notionalCap": int(step.cap),
                        "notionalFloor": int(floor),
                        "maintMarginRatio": float(step.maintenance),
                        "cum": float(step.cum),
                    }
                )
                floor = step.cap
            out.append({"symbol": symbol.id, "notionalCoef": 1.0, "brackets": rows})
        return out[0] if one and out else out

    def commission(self, call: Call) -> Any:
        return {"symbol": call.symbol().id, "makerCommissionRate": "0.000200", "takerCommissionRate": "0.000500"}

    def income(self, call: Call) -> Any:
        wanted, symbol = call.text("incomeType"), call.symbol_or_none()
        start, end = call.integer("startTime"), call.integer("endTime")
        by_id = {fill.id: fill for fill in call.account.fills}
        rows: list[dict[str, Any]] = []
        for entry in call.account.ledger:
            if entry.asset != USDT:
                continue
            fill = by_id.get(entry.ref)
            name = fill.symbol if fill is not None else entry.ref
            owner = BY_SYMBOL.get(name)
            for kind, amount in _parts(entry):
                if (wanted and kind != wanted) or (symbol is not None and (owner is None or owner.id != symbol.id)):
                    continue
                if (start is not None and ms(entry.at) < start) or (end is not None and ms(entry.at) > end):
                    continue
                rows.append(
                    {
                        "symbol": owner.id if owner is not None else "",
                        "incomeType": kind,
                        "income": eight(amount),
                        "asset": "USDT",
                        "time": ms(entry.at),
                        "info": str(fill.trade_id) if fill is not None else kind,
                        "tranId": int.from_bytes(entry.id.encode()[-6:], "big"),
                        "tradeId": str(fill.trade_id) if fill is not None else "",
                    }
                )
        count = call.limit(100, 1000)
        return rows[:count] if start is not None else rows[-count:]

    def force_orders(self, call: Call) -> Any:
        rows = [order for order in self._exchange.engine.orders_of(call.account.name) if order.flags == "liquidation"]
        return [um_order(self._exchange, order) for order in rows[-call.limit(50, 100) :]]


def _parts(entry: LedgerEntry) -> list[tuple[str, Decimal]]:
    """Return the income rows of one booking: a trade has profit and commission."""
    if entry.kind == "trade":
        return [(kind, amount) for kind, amount in (("REALIZED_PNL", entry.amount), ("COMMISSION", -entry.fee)) if amount]
    return [(_INCOME.get(entry.kind, "TRANSFER"), entry.amount - entry.fee)]


def _changed(account: Account) -> float:
    return account.ledger[-1].at if account.ledger else account.created
