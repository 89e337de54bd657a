"""Margin on spot pairs, as Kraken has it: positions opened by orders with leverage, what backs them, what they cost, how they end.

Everything an account holds backs all its positions: dollars (USD, USDT, USDC count the same here) and coins at their last price.
A position borrows from the venue, so a trade on margin moves no balance but the profit of what it closes and the fees; these may make
a balance negative, as there. Opposite orders close the oldest position first. At a margin level (equity in percent of the initial
margin) of 80 the venue calls, at 40 it closes positions at the market, the oldest first, until the level is above it.

Simpler than the venue: no allowance per tier, no haircut on collateral, no pool that can run dry, no position that ends after a year.
One law is kept and tested: balances and borrowed amounts together never change but by deposits.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from .accounts import Account
from .instruments import Instrument
from .money import ROUND_HALF_UP, ZERO
from .orders import BUY, LIQUIDATION, SELL, Order

if TYPE_CHECKING:
    from .engine import Engine

#: support.kraken.com, "Margin opening and rollover fees": up to 0.02 % to open, and up to 0.02 % every four hours
OPEN_RATE = ROLLOVER_RATE = Decimal("0.0002")
ROLLOVER_S = 4 * 3600
#: AssetPairs: margin_call and margin_stop
CALL_LEVEL, STOP_LEVEL = Decimal(80), Decimal(40)
#: what open orders on margin have set aside; no asset has this name
HELD = "margin"
DOLLARS = ("USD", "USDT", "USDC")
BACKSTOP = "house:maker"
_DECIMALS = ("qty", "left", "cost", "cost_left", "fee")


@dataclass
class Loan:
    """One margin position. `side` is the opening side (buy = long); `cost` what it was opened for, in quote currency."""

    #: the trade that opened it, which is the position's id at the venue
    id: str
    order_id: str
    account: str
    symbol: str
    side: str
    type: str
    leverage: int
    qty: Decimal
    cost: Decimal
    fee: Decimal
    at: float
    rollover: float
    left: Decimal
    cost_left: Decimal

    @property
    def sign(self) -> int:
        return 1 if self.side == BUY else -1

    @property
    def margin(self) -> Decimal:
        """Initial margin of what is still open."""
        return self.cost_left / self.leverage

    def profit(self, price: Decimal) -> Decimal:
        """Return the unrealised profit at a price."""
        return self.sign * (self.left * price - self.cost_left)

    def to_dict(self) -> dict[str, Any]:
        """Return the journal form."""
        return {item.name: format(value, "f") if isinstance(value := getattr(self, item.name), Decimal) else value for item in fields(self)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Loan:
        values: dict[str, Any] = {name: Decimal(value) if name in _DECIMALS else value for name, value in data.items()}
        return cls(**values)


class Lending:
    """The margin side of one engine's spot pairs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: account -> its open positions, oldest first
        self.by_account: dict[str, list[Loan]] = {}
        #: accounts that were called and have not recovered since -> exchange time of the call
        self.called: dict[str, float] = {}
        self._liquidating = False

    # -- what backs it -------------------------------------------------------------------------------------------------

    def of(self, account: Account, symbol: Optional[str] = None) -> list[Loan]:
        """Return open positions, oldest first."""
        return [item for item in self.by_account.get(account.name, ()) if symbol in (None, item.symbol)]

    def mark(self, symbol: str) -> Decimal:
        return self._engine.index_price[symbol]

    def collateral(self, account: Account) -> Decimal:
        """Return what the account holds in dollars: the venue's trade balance."""
        total = ZERO
        for asset, balance in account.balances.items():
            if asset in DOLLARS:
                total += balance
            elif balance:
                total += balance * self._price_of(asset, account.venue)
        return total

    def _price_of(self, asset: str, venue: str) -> Decimal:
        for item in self._engine.instruments.values():
            if item.base == asset and item.venue == venue and item.contract is None:
                return self._engine.last_price[item.symbol]
        return ZERO

    def initial(self, account: Account) -> Decimal:
        return sum((item.margin for item in self.of(account)), ZERO)

    def profit(self, account: Account) -> Decimal:
        return sum((item.profit(self.mark(item.symbol)) for item in self.of(account)), ZERO)

    def equity(self, account: Account) -> Decimal:
        return self.collateral(account) + self.profit(account)

    def level(self, account: Account) -> Optional[Decimal]:
        """Return equity in percent of the initial margin; None without a position."""
        initial = self.initial(account)
        return self.equity(account) / initial * 100 if initial else None

    def available(self, account: Account, wallet: str) -> Decimal:
        """Return the free margin: what new positions may use. The wallet does not matter, everything backs everything."""
        return self.equity(account) - self.initial(account) - account.held(HELD)

    # -- orders --------------------------------------------------------------------------------------------------------

    def closable(self, order: Order) -> Decimal:
        """Return how much of the opposite positions the order could close."""
        account = self._engine.accounts[order.account]
        return sum((item.left for item in self.of(account, order.symbol) if item.side != order.side), ZERO)

    def only_closes(self, order: Order) -> bool:
        return order.reduce_only

    def hold(self, order: Order, instrument: Instrument, rate: Decimal, price: Optional[Decimal] = None) -> Decimal:
        """Return initial margin and fees of what the rest of an order would open at its limit price (or the price given)."""
        if order.reduce_only or (order.is_stop and not order.triggered):
            return ZERO
        opening = max(ZERO, order.remaining - self.closable(order))
        value = (price or order.limit_price or self.mark(order.symbol)) * opening
        return value / order.leverage + value * (rate + OPEN_RATE)

    def opens_for(self, order: Order, qty: Decimal, cost: Decimal) -> Decimal:
        """Return the part of a fill's cost that opens something, which the opening fee is charged on."""
        closing = min(qty, self.closable(order))
        return cost - self._share(order, cost, closing, qty)

    def _share(self, order: Order, cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
        if part == whole:
            return cost
        step = self._engine.instruments[order.symbol].cost_step
        return (cost * part / whole).quantize(step, rounding=ROUND_HALF_UP)

    # -- fills ---------------------------------------------------------------------------------------------------------

    def fill(self, order: Order, trade: str, qty: Decimal, cost: Decimal, fee: Decimal, now: float) -> tuple[Decimal, Decimal]:
        """Close the oldest opposite positions, open one with the rest; returns realised profit and the quantity opened."""
        account = self._engine.accounts[order.account]
        left, cost_left, realized = qty, cost, ZERO
        for loan in self.of(account, order.symbol):
            if left == 0:
                break
            if loan.side == order.side:
                continue
            closing = min(left, loan.left)
            price = self._share(order, cost_left, closing, left)
            owed = self._share(order, loan.cost_left, closing, loan.left)
            realized += loan.sign * (price - owed)
            left, cost_left = left - closing, cost_left - price
            loan.left, loan.cost_left = loan.left - closing, loan.cost_left - owed
            self._note(loan)
        if left:
            self._open(order, trade, left, cost_left, fee, now)
        return realized, left

    def _open(self, order: Order, trade: str, qty: Decimal, cost: Decimal, fee: Decimal, now: float) -> None:
        """What one order opens is one position, however many trades it takes."""
        mine = self.by_account.setdefault(order.account, [])
        known = next((loan for loan in mine if loan.order_id == order.id), None)
        if known is not None:
            known.qty, known.cost, known.fee = known.qty + qty, known.cost + cost, known.fee + fee
            known.left, known.cost_left = known.left + qty, known.cost_left + cost
            self._note(known)
            return
        due = now + ROLLOVER_S
        loan = Loan(
            trade, order.id, order.account, order.symbol, order.side, order.type, order.leverage, qty, cost, fee, now, due, qty, cost
        )  # fmt: skip
        mine.append(loan)
        self._note(loan)

    def _note(self, loan: Loan) -> None:
        if not loan.left:
            self.by_account[loan.account].remove(loan)
        self._engine.note_fact({"t": "loan", "loan": loan.to_dict()})

    def restore(self, loan: Loan) -> None:
        """Take a position back from the journal."""
        mine = self.by_account.setdefault(loan.account, [])
        known = next((index for index, item in enumerate(mine) if item.id == loan.id), None)
        if known is not None:
            mine[known : known + 1] = [loan] if loan.left else []
        elif loan.left:
            mine.append(loan)

    def after_fill(self, account: Account, symbol: str, now: float, busy: tuple[str, ...]) -> None:
        """End the reduce-only orders that have nothing left to reduce. `busy`: orders in the middle of their own trade."""
        for order in list(self._engine.open_by_account[account.name].values()):
            if order.symbol != symbol or not order.leverage or not order.reduce_only or not order.is_open or order.id in busy:
                continue
            if (order.triggered or not order.is_stop) and not self.closable(order):
                self._engine.cancel(order, now, "Reduce only", "expired")

    def to_settle(self, order: Order) -> list[tuple[Loan, Decimal, Decimal]]:
        """Return what an order to settle is about, oldest position first: position, quantity, and what is owed for it. Quantity 0 = all."""
        parts: list[tuple[Loan, Decimal, Decimal]] = []
        left = order.qty or self.closable(order)
        for loan in self.of(self._engine.accounts[order.account], order.symbol):
            part = min(left, loan.left)
            if loan.side != order.side and part:
                parts.append((loan, part, self._share(order, loan.cost_left, part, loan.left)))
                left -= part
        return parts

    def paid_back(self, loan: Loan, qty: Decimal, owed: Decimal) -> None:
        """Take a part that was settled out of a position."""
        loan.left, loan.cost_left = loan.left - qty, loan.cost_left - owed
        self._note(loan)

    # -- time and price ------------------------------------------------------------------------------------------------

    def roll(self, now: float) -> None:
        """Charge the rollover fees that are due: every four hours since a position was opened."""
        for name, loans in self.by_account.items():
            account = self._engine.accounts[name]
            for loan in loans:
                if now < loan.rollover:
                    continue
                instrument = self._engine.instruments[loan.symbol]
                periods = int((now - loan.rollover) // ROLLOVER_S) + 1
                fee = (loan.cost_left * ROLLOVER_RATE * periods).quantize(instrument.cost_step, rounding=ROUND_HALF_UP)
                loan.rollover += periods * ROLLOVER_S
                self._engine.pay(account, instrument.quote, -fee, "rollover", loan.id, now)
                self._note(loan)

    def check(self, now: float) -> None:
        """Call for margin at 80 %, close positions at 40 %."""
        if self._liquidating or not self.by_account:
            return
        self._liquidating = True
        try:
            for name in list(self.by_account):
                self._check(self._engine.accounts[name], now)
        finally:
            self._liquidating = False

    def _check(self, account: Account, now: float) -> None:
        level = self.level(account)
        if level is None or level > CALL_LEVEL:
            self.called.pop(account.name, None)
            return
        if account.name not in self.called:
            self.called[account.name] = now
            self._engine.note_fact({"t": "margin_call", "account": account.name, "level": str(level), "at": now})
        for loan in self.of(account):
            if level is None or level > STOP_LEVEL:
                return
            if loan.left:
                self._liquidate(account, loan, now)
                level = self.level(account)

    def _liquidate(self, account: Account, loan: Loan, now: float) -> None:
        """Close the oldest position at the market; what the book cannot take, the venue takes at the mark price."""
        engine, symbol = self._engine, loan.symbol
        for order in list(engine.open_by_account[account.name].values()):
            if order.symbol == symbol and order.leverage and order.is_open:
                engine.cancel(order, now, "Margin liquidation")
        engine.note_fact({"t": "liquidation", "account": account.name, "position": loan.to_dict(), "at": now})
        side = SELL if loan.side == BUY else BUY
        for turn in range(2):
            if not loan.left:
                return
            if turn:
                price = max(engine.instruments[symbol].tick, self.mark(symbol).quantize(engine.instruments[symbol].tick))
                house = "H%d" % engine.ids.number("house")
                engine.submit(Order(house, BACKSTOP, symbol, loan.side, "limit", loan.left, limit_price=price, stp="cancel-oldest"), now)
            order = Order(engine.ids.txid("O"), account.name, symbol, side, "market", loan.left, reduce_only=True)
            order.leverage, order.flags = loan.leverage, LIQUIDATION
            engine.submit(order, now)
