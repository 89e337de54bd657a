"""Perpetual contracts in the engine: what an order needs, what a fill does to a position, funding and liquidation.

Wallets and positions obey one law that the tests hold us to: summed over everybody, wallet less position cost plus the venue's purse
never changes but by deposits, and the contracts sum up to nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Optional

from .accounts import Account
from .instruments import Instrument
from .money import ROUND_HALF_UP, ZERO, quantum
from .orders import BUY, LIQUIDATION, SELL, Order
from .positions import BOTH, ISOLATED, LONG, Position

if TYPE_CHECKING:
    from .engine import Engine

STEP = quantum(8)
#: the house that takes over what a liquidation cannot sell into the book
BACKSTOP = "house:maker"
FUNDING_S = 8 * 3600
#: after a jump of the clock at most so many missed fundings are charged
MOST_FUNDINGS = 90
MOST_CHARGED = 1_000


class Margin:
    """The futures side of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: exchange time up to which funding is charged
        self.funded = 0.0
        #: (symbol, time) -> (rate, mark price) of the fundings that were charged; the newest few hundred
        self.charged: dict[tuple[str, int], tuple[Decimal, Decimal]] = {}
        self._liquidating = False

    # -- what is free --------------------------------------------------------------------------------------------------

    def mark(self, symbol: str) -> Decimal:
        return self._engine.index_price[symbol]

    def initial(self, account: Account, position: Position) -> Decimal:
        """Return the initial margin of a position at the mark price."""
        return abs(position.qty) * self.mark(position.symbol) / account.futures.leverage_of(position.symbol)

    def maintenance(self, position: Position) -> Decimal:
        contract = self._engine.instruments[position.symbol].contract
        assert contract is not None
        return contract.maintenance(abs(position.qty) * self.mark(position.symbol))

    def open_of(self, account: Account, wallet: str) -> list[Position]:
        """Return the open positions whose profit goes to a wallet."""
        return [item for item in account.futures.open() if self._engine.instruments[item.symbol].quote == wallet]

    def is_isolated(self, account: Account, position: Position) -> bool:
        return account.futures.margin_of(position.symbol) == ISOLATED

    def cross_wallet(self, account: Account, wallet: str) -> Decimal:
        """Return the wallet less what isolated positions have set aside."""
        return account.balance(wallet) - sum((item.isolated for item in self.open_of(account, wallet)), ZERO)

    def cross_profit(self, account: Account, wallet: str) -> Decimal:
        return sum(
            (item.profit(self.mark(item.symbol)) for item in self.open_of(account, wallet) if not self.is_isolated(account, item)), ZERO
        )

    def available(self, account: Account, wallet: str) -> Decimal:
        """Return what new orders and transfers may use: it never counts unrealised losses twice, and may be negative."""
        bound = sum((self.initial(account, item) for item in self.open_of(account, wallet) if not self.is_isolated(account, item)), ZERO)
        return self.cross_wallet(account, wallet) + self.cross_profit(account, wallet) - bound - account.held(wallet)

    def withdrawable(self, account: Account, wallet: str) -> Decimal:
        """Return what may leave the wallet: unrealised profit may not."""
        return max(ZERO, min(self.available(account, wallet), self.available(account, wallet) - self.cross_profit(account, wallet)))

    # -- orders --------------------------------------------------------------------------------------------------------

    def closable(self, order: Order) -> Decimal:
        """Return how much of the order's position it could close."""
        position = self._engine.accounts[order.account].futures.of(order.symbol, order.position_side)
        against = position.qty < 0 if order.side == BUY else position.qty > 0
        return abs(position.qty) if against else ZERO

    def only_closes(self, order: Order) -> bool:
        """Tell whether the order can never open anything: reduce-only, or selling a long and buying back a short in hedge mode."""
        if order.reduce_only or order.close_position:
            return True
        return order.position_side not in ("", BOTH) and (order.side == SELL) == (order.position_side == LONG)

    def hold(self, order: Order, instrument: Instrument, rate: Decimal, price: Optional[Decimal] = None) -> Decimal:
        """Return the margin and fee that the rest of an order needs at its limit price (or the price given)."""
        if self.only_closes(order) or (order.is_stop and not order.triggered):
            return ZERO
        opening = max(ZERO, order.remaining - self.closable(order))
        value = (price or order.limit_price or self.mark(order.symbol)) * opening
        return value / self._engine.accounts[order.account].futures.leverage_of(order.symbol) + value * rate

    # -- fills ---------------------------------------------------------------------------------------------------------

    def fill(
        self, account: Account, order: Order, instrument: Instrument, price: Decimal, qty: Decimal, now: float
    ) -> tuple[Decimal, Decimal]:
        """Change the position; returns realised profit and the quantity that was opened."""
        position = account.futures.of(order.symbol, order.position_side)
        sign = 1 if order.side == BUY else -1
        closing = min(qty, abs(position.qty)) if position.qty * sign < 0 else ZERO
        realized = ZERO
        if closing:
            whole = closing == abs(position.qty)
            cost = position.cost if whole else (position.cost * closing / abs(position.qty)).quantize(STEP, rounding=ROUND_HALF_UP)
            back = position.isolated if whole else (position.isolated * closing / abs(position.qty)).quantize(STEP, rounding=ROUND_HALF_UP)
            realized = -sign * price * closing - cost
            position.qty += sign * closing
            position.cost -= cost
            position.isolated -= back
        opening = qty - closing
        if opening:
            position.qty += sign * opening
            position.cost += sign * price * opening
            if self.is_isolated(account, position):
                position.isolated += (price * opening / account.futures.leverage_of(order.symbol)).quantize(STEP, rounding=ROUND_HALF_UP)
        position.updated = now
        self.note(account, position)
        return realized, opening

    def note(self, account: Account, position: Position) -> None:
        self._engine.note_fact({"t": "position", "account": account.name, "position": position.to_dict()})

    def after_fill(self, account: Account, symbol: str, now: float, busy: tuple[str, ...]) -> None:
        """End the reduce-only orders that have nothing left to reduce. `busy`: orders in the middle of their own trade."""
        for order in list(self._engine.open_by_account[account.name].values()):
            if order.symbol == symbol and order.id not in busy and order.is_open and self.only_closes(order) and not order.close_position:
                waiting = order.is_stop and not order.triggered
                if not waiting and not self.closable(order):
                    self._engine.cancel(order, now, "Reduce only", "expired")

    # -- funding -------------------------------------------------------------------------------------------------------

    def next_funding(self, now: float) -> float:
        return (int(now // FUNDING_S) + 1) * float(FUNDING_S)

    def rate(self, instrument: Instrument) -> Decimal:
        """Return the funding rate: the interest of calm hours and the premium of the book's middle over the mark, capped at 0.75 %."""
        contract = instrument.contract
        assert contract is not None
        mark = self.mark(instrument.symbol)
        middle = self._engine.books[instrument.symbol].mid()
        premium = ZERO if middle is None else (middle - mark) / mark
        cap = Decimal("0.0075")
        return max(-cap, min(cap, premium + max(-Decimal("0.0005"), min(Decimal("0.0005"), contract.funding_rate - premium)))).quantize(
            STEP
        )

    def fund(self, now: float) -> None:
        """Charge the fundings that are due; what one side pays and the other does not get (the house) goes through the purse."""
        if not self.funded:
            self.funded = now
            return
        moment = self.next_funding(self.funded)
        if moment > now:
            return
        while now - moment > MOST_FUNDINGS * FUNDING_S:
            moment += FUNDING_S
        while moment <= now:
            self._fund_once(moment)
            self.funded = moment
            moment += FUNDING_S
        self._engine.note_fact({"t": "funded", "at": self.funded})

    def _fund_once(self, at: float) -> None:
        engine = self._engine
        for item in engine.instruments.values():
            if item.contract is not None:
                self.charged[item.symbol, int(at)] = (self.rate(item), self.mark(item.symbol))
        while len(self.charged) > MOST_CHARGED:
            del self.charged[next(iter(self.charged))]
        for account in engine.accounts.values():
            for position in [] if account.house else account.futures.open():
                instrument = engine.instruments[position.symbol]
                pay = (position.qty * self.mark(position.symbol) * self.rate(instrument)).quantize(STEP, rounding=ROUND_HALF_UP)
                if pay:
                    if self.is_isolated(account, position):
                        position.isolated -= pay
                        self.note(account, position)
                    engine.pay(account, instrument.quote, -pay, "funding", position.symbol, at)

    # -- liquidation ---------------------------------------------------------------------------------------------------

    def check(self, symbol: str, now: float) -> None:
        """Liquidate what has lost its maintenance margin at the new mark price of a symbol."""
        if self._liquidating or self._engine.instruments[symbol].contract is None:
            return
        self._liquidating = True
        try:
            for account in list(self._engine.accounts.values()):
                if account.house:
                    continue
                touched = [item for (name, _), item in account.futures.positions.items() if name == symbol and item.qty]
                if not touched:
                    continue
                for position in [item for item in touched if self.is_isolated(account, item)]:
                    if position.isolated + position.profit(self.mark(symbol)) <= self.maintenance(position):
                        self._liquidate(account, [position], now)
                if any(not self.is_isolated(account, item) for item in touched):
                    self._check_cross(account, self._engine.instruments[symbol].quote, now)
        finally:
            self._liquidating = False

    def _check_cross(self, account: Account, wallet: str, now: float) -> None:
        positions = [item for item in self.open_of(account, wallet) if not self.is_isolated(account, item)]
        if not positions:
            return
        balance = self.cross_wallet(account, wallet) + self.cross_profit(account, wallet)
        if balance <= sum((self.maintenance(item) for item in positions), ZERO):
            self._liquidate(account, positions, now)

    def _liquidate(self, account: Account, positions: list[Position], now: float) -> None:
        engine = self._engine
        symbols = {item.symbol for item in positions}
        for order in list(engine.open_by_account[account.name].values()):
            if order.symbol in symbols and order.is_open:
                engine.cancel(order, now, "Liquidation", "expired")
        for position in positions:
            instrument = engine.instruments[position.symbol]
            side, amount = (SELL if position.qty > 0 else BUY), abs(position.qty)
            engine.note_fact({"t": "liquidation", "account": account.name, "position": position.to_dict(), "at": now})
            for _ in range(2):
                if not position.qty:
                    break
                order = Order(
                    engine.ids.venue_order(instrument.venue),
                    account.name,
                    position.symbol,
                    side,
                    "market",
                    abs(position.qty),
                    reduce_only=True,
                    client_id="autoclose-%d" % int(now * 1000),
                    flags=LIQUIDATION,
                    position_side=position.side,
                )
                engine.submit(order, now)
                if position.qty:
                    self._backstop(instrument, position, now)
            fee = (amount * self.mark(position.symbol) * (instrument.contract.liquidation_fee if instrument.contract else ZERO)).quantize(
                STEP
            )
            fee = min(fee, max(ZERO, account.balance(instrument.quote)))
            if fee:
                engine.pay(account, instrument.quote, -fee, "insurance", position.symbol, now)

    def _backstop(self, instrument: Instrument, position: Position, now: float) -> None:
        """Let the house quote the rest at the mark price, as the insurance fund takes over a position."""
        self._engine.submit(
            Order(
                "H%d" % self._engine.ids.number("house"),
                BACKSTOP,
                instrument.symbol,
                BUY if position.qty > 0 else SELL,
                "limit",
                abs(position.qty),
                limit_price=max(instrument.tick, self.mark(instrument.symbol).quantize(instrument.tick)),
                stp="cancel-oldest",
            ),
            now,
        )
