"""The matching engine: takes orders, matches them by price and time, settles, triggers stops. It knows no venue and no clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Optional, Union

from .accounts import Account, LedgerEntry
from .book import Book
from .ids import Ids
from .instruments import Instrument
from .lending import HELD, OPEN_RATE, Lending
from .margin import Margin
from .money import ROUND_DOWN, ROUND_HALF_UP, ZERO
from .orders import BUY, LIQUIDATION, SELL, Fill, Order, Refusal
from .positions import ISOLATED
from .settlement import hold_for, market_cost

#: closed orders, fills and bookings kept in memory: so many of all accounts together, but LEAST of each
MOST_ORDERS, MOST_FILLS, MOST_BOOKINGS, LEAST = 10_000, 10_000, 10_000, 50
#: bookings that may leave a balance negative: what a margin account loses or owes
OWED = ("margin", "rollover")
#: Facts the journal keeps and streams publish: {"t": kind, ...}
Fact = dict[str, Any]


def hold_asset(order: Order, instrument: Instrument) -> str:
    """Return what an order holds: the base it sells, the quote it pays with, or margin (of a contract in its wallet)."""
    if order.leverage:
        return HELD
    return instrument.quote if order.side == BUY or instrument.contract is not None else instrument.base


class Engine:
    """State of accounts, orders and books. Each public call is one atomic step; `drain()` returns the facts it made."""

    def __init__(self, instruments: Iterable[Instrument], ids: Ids) -> None:
        self.instruments = {item.symbol: item for item in instruments}
        self.ids = ids
        self.books = {symbol: Book(symbol) for symbol in self.instruments}
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.open_by_account: dict[str, dict[str, Order]] = {}
        #: (account, client order id) -> the newest order that has it
        self.by_client: dict[tuple[str, str], str] = {}
        #: every order of an account that is no house, by id
        self.history: dict[str, dict[str, Order]] = {}
        self.stops: dict[str, dict[str, Order]] = {symbol: {} for symbol in self.instruments}
        self.last_price: dict[str, Decimal] = {item.symbol: item.start_price for item in self.instruments.values()}
        self.index_price: dict[str, Decimal] = dict(self.last_price)
        #: sum of all fees taken, by asset: the venue's own purse, part of the conservation law
        self.fees: dict[str, Decimal] = {}
        self.on_trade: list[Callable[[str, Decimal, Decimal, str, str, float, int], None]] = []
        self.margin = Margin(self)
        self.lending = Lending(self)
        #: list id -> ids of its open orders
        self.lists: dict[str, list[str]] = {}
        self._facts: list[Fact] = []
        self._triggering = False

    # -- accounts ------------------------------------------------------------------------------------------------------

    def open_account(self, account: Account) -> None:
        self.accounts[account.name] = account
        self.open_by_account[account.name] = {}
        self.history[account.name] = {}

    def deposit(self, account: Account, asset: str, amount: Decimal, now: float, kind: str = "deposit") -> None:
        """Add (or with a negative amount take) units of an asset. Raises Refusal when that would make a balance negative."""
        if amount < 0 and self.free(account, asset) + amount < 0:
            raise Refusal("insufficient_funds")
        self._book_entry(account, asset, amount, ZERO, kind, self.ids.txid("F"), now)

    def free(self, account: Account, asset: str) -> Decimal:
        """Return what an account may take out of an asset."""
        if self.lending.of(account):
            return max(ZERO, min(account.available(asset), self.lending.available(account, asset)))
        return self.margin.withdrawable(account, asset) if self.margin.open_of(account, asset) else account.available(asset)

    def credit(self, order: Order) -> Optional[Union[Margin, Lending]]:
        """Return who lends for an order: the futures side for a contract, the margin side for an order with leverage, else nobody."""
        if self.instruments[order.symbol].contract is not None:
            return self.margin
        return self.lending if order.leverage else None

    def pay(self, account: Account, asset: str, amount: Decimal, kind: str, ref: str, now: float) -> None:
        """Book a payment between an account and the venue's purse (funding, insurance): what one has more, the other has less."""
        self.take_fee(asset, -amount)
        self._book_entry(account, asset, ZERO, -amount, kind, ref, now)

    def note_fact(self, fact: Fact) -> None:
        """Add a fact of a part of the engine."""
        self._facts.append(fact)

    def take_fee(self, asset: str, fee: Decimal) -> None:
        """Put a fee into the venue's purse."""
        if fee:
            self.fees[asset] = self.fees.get(asset, ZERO) + fee

    def note(self, order: Order) -> None:
        """Add the fact of what an order is now."""
        self._note(order)

    def drain(self) -> list[Fact]:
        """Return and forget the facts since the last call."""
        facts, self._facts = self._facts, []
        return facts

    def orders_of(self, account: str) -> list[Order]:
        """Return every order an account ever placed, oldest first."""
        return list(self.history[account].values())

    def is_client_id_open(self, account: str, client_id: str) -> bool:
        """Tell whether an open order of the account has that client order id."""
        newest = self.by_client.get((account, client_id))
        return newest is not None and newest in self.open_by_account[account]

    # -- orders --------------------------------------------------------------------------------------------------------

    def submit(self, order: Order, now: float) -> Order:
        """Take a new order: refuse it (Refusal, nothing changed), or rest, trade or park it until its trigger."""
        account = self.accounts[order.account]
        instrument = self.instruments[order.symbol]
        book = self.books[order.symbol]
        if order.post_only and book.crosses(order.side, order.limit_price):
            raise Refusal("post_only_would_cross")
        order.created = order.created or now
        credit = self.credit(order)
        if credit is not None and not account.house and order.reduce_only and not credit.closable(order):
            raise Refusal("reduce_only")
        order.held = self._check_funds(account, order, instrument, book, now)
        order.seq = self.ids.number("seq")
        account.change_hold(self._hold_asset(order), order.held)
        self.orders[order.id] = order
        self.open_by_account[account.name][order.id] = order
        if not account.house:
            self.history[account.name][order.id] = order
        if order.is_stop and not order.triggered:
            order.status = "pending"
            self.stops[order.symbol][order.id] = order
            self._note(order)
            self._run_triggers(order.symbol, now)
        else:
            self._execute(order, now)
            self._run_triggers(order.symbol, now)
        return order

    def submit_pair(self, plain: Order, stop: Order, now: float) -> None:
        """Take a limit order and a stop of the same side and quantity, of which only one can be filled (OCO). Raises Refusal.

        The stop holds the money for both; the limit order takes it over when it trades.
        """
        account, instrument, book = self.accounts[plain.account], self.instruments[plain.symbol], self.books[plain.symbol]
        if book.crosses(plain.side, plain.limit_price):
            raise Refusal("post_only_would_cross")
        rate = self._hold_rate(account, instrument, now)
        need = max(hold_for(plain, instrument, rate), hold_for(stop, instrument, rate))
        if account.available(self._hold_asset(plain)) < need:
            raise Refusal("insufficient_funds")
        list_id = str(self.ids.number("list"))
        self.lists[list_id] = [plain.id, stop.id]
        for order, held in ((stop, need), (plain, ZERO)):
            order.list_id, order.held, order.created = list_id, held, order.created or now
            order.seq = self.ids.number("seq")
            self.orders[order.id] = self.open_by_account[account.name][order.id] = self.history[account.name][order.id] = order
        account.change_hold(self._hold_asset(plain), need)
        stop.status = "pending"
        self.stops[stop.symbol][stop.id] = stop
        self._note(stop)
        plain.status = "open"
        book.add(plain)
        self._note(plain)
        self._run_triggers(plain.symbol, now)

    def _leave_list(self, order: Order, now: float) -> None:
        """An order of a list begins to trade: the others end, and it holds its own money."""
        partners = [self.orders[item] for item in self.lists.pop(order.list_id or "", []) if item != order.id and item in self.orders]
        for partner in partners:
            if partner.is_open:
                self.cancel(partner, now, "Order list", "expired")
        account, instrument = self.accounts[order.account], self.instruments[order.symbol]
        held = hold_for(order, instrument, self._hold_rate(account, instrument, now))
        account.change_hold(self._hold_asset(order), held - order.held)
        order.held = held

    def cancel(self, order: Order, now: float, reason: str = "User requested", status: str = "canceled") -> None:
        """Take an open order out. Raises Refusal('unknown_order') when it is not open any more."""
        if not order.is_open:
            raise Refusal("unknown_order")
        self._unplace(order)
        self._close(order, status, now, reason)

    def amend(
        self,
        order: Order,
        now: float,
        *,
        qty: Optional[Decimal] = None,
        limit_price: Optional[Decimal] = None,
        stop_price: Optional[Decimal] = None,
        post_only: bool = False,
    ) -> None:
        """Change an open order in place. Queue priority stays only when the price stays and the quantity does not rise."""
        if not order.is_open:
            raise Refusal("unknown_order")
        account, instrument, book = self.accounts[order.account], self.instruments[order.symbol], self.books[order.symbol]
        new_qty = order.qty if qty is None else qty
        new_limit = order.limit_price if limit_price is None else limit_price
        new_stop = order.stop_price if stop_price is None else stop_price
        if new_qty <= order.filled:
            raise Refusal("invalid_volume")
        if post_only and order.status == "open" and book.crosses(order.side, new_limit):
            raise Refusal("post_only_would_cross")
        trial = Order(**{**order.__dict__, "qty": new_qty, "limit_price": new_limit, "stop_price": new_stop})
        held = ZERO if account.house else self._hold(trial, instrument, account, now)
        if held > order.held and self._spendable(account, order) + order.held < held:
            raise Refusal("insufficient_margin" if order.leverage else "insufficient_funds")
        resting = order.status == "open"
        keeps = resting and new_limit == order.limit_price and new_qty <= order.qty
        if keeps:
            assert order.limit_price is not None
            book.version += 1
            book.side(order.side).reduce(order.limit_price, order.qty - new_qty)
        elif resting:
            book.remove(order)
        account.change_hold(self._hold_asset(order), held - order.held)
        order.qty, order.limit_price, order.stop_price, order.held = new_qty, new_limit, new_stop, held
        if resting and not keeps:
            order.seq = self.ids.number("seq")
            self._execute(order, now)
        else:
            self._note(order)
        self._run_triggers(order.symbol, now)

    def expire(self, now: float) -> None:
        """Close orders whose time is over and carry out dead man's timers that have run out."""
        for account in self.accounts.values():
            if account.house:
                continue
            if account.cancel_all_at is not None and now >= account.cancel_all_at:
                account.cancel_all_at = None
                self._facts.append({"t": "timer", "account": account.name, "at": None})
                for order in list(self.open_by_account[account.name].values()):
                    self.cancel(order, now, "Cancel all orders after timer")
            for symbol in [symbol for symbol, at in account.countdowns.items() if now >= at]:
                self.set_countdown(account, symbol, None)
                for order in list(self.open_by_account[account.name].values()):
                    if order.symbol == symbol and order.is_open:
                        self.cancel(order, now, "Countdown")
            for order in list(self.open_by_account[account.name].values()):
                if order.expire_at is not None and now >= order.expire_at:
                    self.cancel(order, now, "Order expired", "expired")
        self.margin.fund(now)
        self.lending.roll(now)

    def set_countdown(self, account: Account, symbol: str, at: Optional[float]) -> None:
        """Start or (None) stop the dead man's timer of one symbol."""
        if at is None:
            account.countdowns.pop(symbol, None)
        else:
            account.countdowns[symbol] = at
        self._facts.append({"t": "countdown", "account": account.name, "symbol": symbol, "at": at})

    def choose_modes(self, account: Account) -> None:
        """Note the leverage, margin and position modes that an account has just chosen."""
        self._facts.append({"t": "modes", "account": account.name, "modes": account.futures.modes()})

    def set_index(self, symbol: str, price: Decimal, now: float) -> None:
        """Tell the engine the reference price; index-triggered stops look at it."""
        self.index_price[symbol] = price
        self._run_triggers(symbol, now)
        self.margin.check(symbol, now)
        self.lending.check(now)

    # -- matching ------------------------------------------------------------------------------------------------------

    def _execute(self, order: Order, now: float) -> None:
        book = self.books[order.symbol]
        limit = None if order.executes_at_market else order.limit_price
        order.status = "open"
        if order.tif == "FOK" and self._fillable(order, limit) < order.remaining:
            self._close(order, "canceled", now, "Fill or kill cannot be filled")
            return
        self._note(order)
        filled = order.filled
        stopped = self._match(order, limit, now)
        if order.remaining == 0:
            self._close(order, "closed", now, "")
        elif stopped:
            self._close(order, "canceled", now, stopped)
        elif limit is None or order.tif in ("IOC", "FOK"):
            self._close(order, "canceled", now, "Insufficient liquidity" if limit is None else "IOC order cannot be filled")
        else:
            book.add(order)
            if order.filled != filled:
                self._note(order)

    def _ready(self, order: Order, now: float) -> bool:
        """Prepare an order whose trigger was reached: leave its list, take the whole position, hold margin. False when it ended instead."""
        if order.list_id is not None:
            self._leave_list(order, now)
        instrument, account, credit = self.instruments[order.symbol], self.accounts[order.account], self.credit(order)
        if credit is None:
            return True
        if order.close_position:
            order.qty = credit.closable(order)
        if credit.only_closes(order) and not credit.closable(order):
            self._close(order, "expired", now, "Reduce only")
            return False
        try:
            order.held = self._check_funds(account, order, instrument, self.books[order.symbol], now)
        except Refusal:
            self._close(order, "expired", now, "Margin is insufficient")
            return False
        account.change_hold(self._hold_asset(order), order.held)
        return True

    def _match(self, taker: Order, limit: Optional[Decimal], now: float) -> str:
        """Trade against the book. Returns the reason why the rest must not rest, or an empty string."""
        book = self.books[taker.symbol]
        lender = self.credit(taker)
        while taker.remaining > 0 and book.crosses(taker.side, limit):
            maker = book.opposite(taker.side).first()
            assert maker is not None
            assert maker.limit_price is not None
            if maker.account == taker.account:
                if taker.stp in ("cancel-oldest", "cancel-both"):
                    self.cancel(maker, now, "Self trade prevention")
                if taker.stp in ("cancel-newest", "cancel-both"):
                    return "Self trade prevention"
                continue
            qty = self._affordable(taker, min(maker.remaining, taker.remaining), maker.limit_price, now)
            if qty <= 0:
                return "Insufficient funds"
            backer = self.credit(maker)
            if backer is not None and backer.only_closes(maker) and (qty := min(qty, backer.closable(maker))) <= 0:
                self.cancel(maker, now, "Reduce only", "expired")
                continue
            if lender is not None and lender.only_closes(taker) and (qty := min(qty, lender.closable(taker))) <= 0:
                return "Reduce only"
            self._trade(maker, taker, maker.limit_price, qty, now)
        return ""

    def _affordable(self, taker: Order, qty: Decimal, price: Decimal, now: float) -> Decimal:
        """Cut a market order that the book would make dearer than the account can pay (a triggered stop in a gap)."""
        account = self.accounts[taker.account]
        if account.house or taker.side == SELL or not taker.executes_at_market:
            return qty
        instrument = self.instruments[taker.symbol]
        if self.credit(taker) is not None:
            return qty
        rate = self._hold_rate(account, instrument, now)
        funds = account.available(instrument.quote) + taker.held
        need = market_cost(price, qty, rate, instrument)
        if need <= funds:
            return qty
        fitting = (max(ZERO, funds - 2 * instrument.cost_step) / (price * (1 + rate))).quantize(instrument.lot, rounding=ROUND_DOWN)
        return min(qty, fitting)

    def _fillable(self, order: Order, limit: Optional[Decimal]) -> Decimal:
        total = ZERO
        for price, level in self.books[order.symbol].opposite(order.side).walk():
            if limit is not None and (price > limit if order.side == BUY else price < limit):
                break
            total += sum((maker.remaining for maker in level.orders.values() if maker.account != order.account), ZERO)
            if total >= order.remaining:
                break
        return total

    def _trade(self, maker: Order, taker: Order, price: Decimal, qty: Decimal, now: float) -> None:
        instrument = self.instruments[taker.symbol]
        book = self.books[taker.symbol]
        cost = (price * qty).quantize(instrument.cost_step, rounding=ROUND_DOWN)
        trade_id = self.ids.number("trade:" + taker.symbol)
        self.last_price[taker.symbol] = price
        for order in (maker, taker):
            if order.list_id in self.lists:
                self._leave_list(order, now)
        if maker.remaining == qty:
            book.remove(maker)
        else:
            book.version += 1
            book.side(maker.side).reduce(price, qty)
        house_only = self.accounts[maker.account].house and self.accounts[taker.account].house
        for order, is_maker in ((maker, True), (taker, False)):
            self._settle(order, instrument, price, qty, cost, is_maker, trade_id, now, quiet=house_only)
        if maker.remaining == 0:
            self._close(maker, "closed", now, "")
        for listener in self.on_trade:
            listener(taker.symbol, price, qty, taker.side, "market" if taker.executes_at_market else "limit", now, trade_id)
        for order in (maker, taker):
            if order.close is not None:
                self._open_close(order, qty, now)
            credit = self.credit(order)
            if credit is not None and not self.accounts[order.account].house:
                credit.after_fill(self.accounts[order.account], order.symbol, now, (maker.id, taker.id))

    def _settle(
        self,
        order: Order,
        instrument: Instrument,
        price: Decimal,
        qty: Decimal,
        cost: Decimal,
        maker: bool,
        trade_id: int,
        now: float,
        quiet: bool,
    ) -> None:
        account = self.accounts[order.account]
        order.filled += qty
        order.cost += cost
        fee = ZERO
        received = instrument.fee_from_received and order.side == BUY
        fee_asset = instrument.base if received else instrument.quote
        if not account.house:
            # Rounded over the order, not per fill: many small fills never cost more than one large one.
            order.fee_exact += (qty if received else cost) * instrument.fee_rate(maker, account.volume_30d(now))
            if order.leverage:
                order.fee_exact += self.lending.opens_for(order, qty, cost) * OPEN_RATE
            rounding = ROUND_DOWN if instrument.fee_from_received else ROUND_HALF_UP
            fee = order.fee_exact.quantize(instrument.cost_step, rounding=rounding) - order.fee
            order.fee += fee
            account.add_volume(now, cost)
        if instrument.contract is not None and not account.house:
            self._settle_contract(order, account, instrument, price, qty, cost, fee, maker, trade_id, now)
            return
        if order.leverage:
            self._settle_loan(order, account, instrument, price, qty, cost, fee, maker, trade_id, now)
            return
        if not account.house:
            self.take_fee(fee_asset, fee)
        self._rehold(order, account, instrument, now)
        if quiet:
            sign = 1 if order.side == BUY else -1
            account.balances[instrument.base] = account.balance(instrument.base) + sign * qty
            account.balances[instrument.quote] = account.balance(instrument.quote) - sign * cost
            return
        fill = Fill(
            "" if account.house else self.ids.txid("T"),
            trade_id,
            order.id,
            account.name,
            order.symbol,
            order.side,
            order.type,
            price,
            qty,
            cost,
            fee,
            maker,
            now,
            fee_asset if received else "",
        )
        sign = 1 if order.side == BUY else -1
        self._book_entry(account, instrument.base, sign * qty, fee if received else ZERO, "trade", fill.id, now)
        self._book_entry(account, instrument.quote, -sign * cost, ZERO if received else fee, "trade", fill.id, now)
        if not account.house:
            account.fills.append(fill)
            self._facts.append({"t": "fill", "fill": fill.to_dict(), "order": order.to_dict()})

    def _settle_contract(
        self,
        order: Order,
        account: Account,
        instrument: Instrument,
        price: Decimal,
        qty: Decimal,
        cost: Decimal,
        fee: Decimal,
        maker: bool,
        trade_id: int,
        now: float,
    ) -> None:
        """Settle one side of a perpetual's trade: the position changes, profit and fee go to the wallet."""
        position = account.futures.of(order.symbol, order.position_side)
        before = position.isolated
        realized, opened = self.margin.fill(account, order, instrument, price, qty, now)
        wallet = instrument.quote
        given = before - position.isolated
        rescued = ZERO
        if order.flags == LIQUIDATION and account.futures.margin_of(order.symbol) == ISOLATED:
            rescued = max(ZERO, -realized - given)
        # What a bankrupt account cannot pay, the venue's insurance does.
        rescued = max(rescued, -(account.balance(wallet) + realized - fee))
        self.take_fee(wallet, fee)
        self._rehold(order, account, instrument, now)
        fill = Fill(
            self.ids.txid("T"),
            trade_id,
            order.id,
            account.name,
            order.symbol,
            order.side,
            order.type,
            price,
            qty,
            cost,
            fee,
            maker,
            now,
            "",
            realized,
            opened,
            order.position_side,
        )
        if rescued > 0:
            self.pay(account, wallet, rescued, "insurance", fill.id, now)
        self._book_entry(account, wallet, realized, fee, "trade", fill.id, now)
        account.fills.append(fill)
        self._facts.append({"t": "fill", "fill": fill.to_dict(), "order": order.to_dict()})

    def _settle_loan(
        self,
        order: Order,
        account: Account,
        instrument: Instrument,
        price: Decimal,
        qty: Decimal,
        cost: Decimal,
        fee: Decimal,
        maker: bool,
        trade_id: int,
        now: float,
    ) -> None:
        """Settle one side of a trade on margin: positions change, profit and fees go to the balance of the quote currency."""
        self.take_fee(instrument.quote, fee)
        trade = self.ids.txid("T")
        realized, opened = self.lending.fill(order, trade, qty, cost, fee, now)
        self._rehold(order, account, instrument, now)
        fill = Fill(
            trade,
            trade_id,
            order.id,
            account.name,
            order.symbol,
            order.side,
            order.type,
            price,
            qty,
            cost,
            fee,
            maker,
            now,
            "",
            realized,
            opened,
            leverage=order.leverage,
        )
        self._book_entry(account, instrument.quote, realized, fee, "margin", fill.id, now)
        account.fills.append(fill)
        self._facts.append({"t": "fill", "fill": fill.to_dict(), "order": order.to_dict()})

    def settle(self, order: Order, now: float) -> None:
        """Pay margin positions back instead of trading them away: a long one's coins are taken over for what they cost, a short one's
        are given for it. Raises Refusal (nothing changed)."""
        account, instrument, parts = self.accounts[order.account], self.instruments[order.symbol], self.lending.to_settle(order)
        coins = sum((loan.sign * qty for loan, qty, _ in parts), ZERO)
        owed = sum((loan.sign * cost for loan, _, cost in parts), ZERO)
        if not parts:
            raise Refusal("reduce_only")
        if account.available(instrument.base) + coins < 0 or account.available(instrument.quote) - owed < 0:
            raise Refusal("insufficient_funds")
        order.qty = order.filled = sum((qty for _, qty, _ in parts), ZERO)
        order.cost = sum((cost for _, _, cost in parts), ZERO)
        order.status, order.created, order.closed, order.seq = "closed", now, now, self.ids.number("seq")
        self.orders[order.id] = self.history[account.name][order.id] = order
        for loan, qty, cost in parts:
            self.lending.paid_back(loan, qty, cost)
            self._book_entry(account, instrument.base, loan.sign * qty, ZERO, "settled", loan.id, now)
            self._book_entry(account, instrument.quote, -loan.sign * cost, ZERO, "settled", loan.id, now)
        self._note(order)

    def _open_close(self, parent: Order, qty: Decimal, now: float) -> None:
        """Create the conditional close order for what was just filled; a refusal is the venue's silence, as there."""
        spec = parent.close or {}
        kind = spec.get("ordertype", "limit")
        price, price2 = (Decimal(spec[name]) if spec.get(name) else None for name in ("price", "price2"))
        limit = price if kind == "limit" else price2
        child = Order(
            id=self.ids.txid("O"),
            account=parent.account,
            symbol=parent.symbol,
            side=SELL if parent.side == BUY else BUY,
            type=kind,
            qty=qty,
            limit_price=limit,
            stop_price=None if kind == "limit" else price,
            trigger=parent.trigger,
            user_ref=parent.user_ref,
            parent=parent.id,
            flags="fciq",
            leverage=parent.leverage,
            reduce_only=bool(parent.leverage),
        )
        try:
            self.submit(child, now)
        except Refusal as refusal:
            self._facts.append({"t": "close_refused", "order": parent.id, "code": refusal.code})

    # -- triggers ------------------------------------------------------------------------------------------------------

    def _run_triggers(self, symbol: str, now: float) -> None:
        """Turn waiting orders whose trigger price was reached into market or limit orders, oldest first."""
        if self._triggering or not self.stops[symbol]:
            return
        self._triggering = True
        try:
            while True:
                due = next((order for order in self.stops[symbol].values() if self._reached(order)), None)
                if due is None:
                    return
                del self.stops[symbol][due.id]
                due.triggered = True
                due.seq = self.ids.number("seq")
                self._facts.append({"t": "triggered", "order": due.id})
                if self._ready(due, now):
                    self._execute(due, now)
        finally:
            self._triggering = False

    def _reached(self, order: Order) -> bool:
        price = (self.index_price if order.trigger == "index" else self.last_price)[order.symbol]
        if order.trail is not None or order.trail_rate is not None:
            self._follow(order, price)
        if order.stop_price is None:
            return False
        falling = (order.side == SELL) != order.type.startswith("take-profit")
        return price <= order.stop_price if falling else price >= order.stop_price

    @staticmethod
    def _follow(order: Order, price: Decimal) -> None:
        if order.trail_rate is not None:
            if order.activation is not None:
                if (price < order.activation) if order.side == SELL else (price > order.activation):
                    return
                order.activation = None
            factor = 1 - order.trail_rate if order.side == SELL else 1 + order.trail_rate
            moved = price * factor
            known = order.stop_price
            order.stop_price = moved if known is None else (max(known, moved) if order.side == SELL else min(known, moved))
            return
        assert order.trail is not None
        if order.side == SELL:
            order.stop_price = max(order.stop_price or ZERO, price - order.trail)
        else:
            order.stop_price = min(order.stop_price or price + order.trail, price + order.trail)

    # -- money ---------------------------------------------------------------------------------------------------------

    def _check_funds(self, account: Account, order: Order, instrument: Instrument, book: Book, now: float) -> Decimal:
        """Return what must be held for the order. Raises Refusal when the account cannot pay it."""
        if account.house:
            return ZERO
        rate = self._hold_rate(account, instrument, now)
        credit = self.credit(order)
        if credit is not None:
            need = self._margin_need(credit, order, instrument, book, rate)
        elif order.side == BUY and order.type == "market":
            need, left = ZERO, order.qty
            for price, level in book.asks.walk():
                take = min(left, level.total)
                need += market_cost(price, take, rate, instrument)
                left -= take
                if left == 0:
                    break
        else:
            need = hold_for(order, instrument, rate)
        if need and self._spendable(account, order) < need:
            raise Refusal("insufficient_margin" if order.leverage else "insufficient_funds")
        return need

    @staticmethod
    def _margin_need(credit: Union[Margin, Lending], order: Order, instrument: Instrument, book: Book, rate: Decimal) -> Decimal:
        """Return the margin an order needs; one that trades at once is counted at the worst price it would reach."""
        worst = None
        if order.executes_at_market:
            left = order.qty
            for price, level in book.opposite(order.side).walk():
                worst, left = price, left - level.total
                if left <= 0:
                    break
        return credit.hold(order, instrument, rate, worst)

    def _spendable(self, account: Account, order: Order) -> Decimal:
        asset, credit = self._hold_asset(order), self.credit(order)
        return account.available(asset) if credit is None else credit.available(account, asset)

    def _hold(self, order: Order, instrument: Instrument, account: Account, now: float) -> Decimal:
        rate, credit = self._hold_rate(account, instrument, now), self.credit(order)
        return hold_for(order, instrument, rate) if credit is None else credit.hold(order, instrument, rate)

    def _rehold(self, order: Order, account: Account, instrument: Instrument, now: float) -> None:
        if account.house:
            return
        if self.credit(order) is not None:
            held = min(order.held, self._hold(order, instrument, account, now)) if order.remaining else ZERO
        elif order.side == BUY and order.executes_at_market:
            spent = order.cost + (ZERO if instrument.fee_from_received else order.fee)
            held = max(ZERO, order.held - spent) if order.remaining else ZERO
        else:
            held = hold_for(order, instrument, self._hold_rate(account, instrument, now)) if order.remaining else ZERO
        account.change_hold(self._hold_asset(order), held - order.held)
        order.held = held

    def _hold_asset(self, order: Order) -> str:
        return hold_asset(order, self.instruments[order.symbol])

    def _hold_rate(self, account: Account, instrument: Instrument, now: float) -> Decimal:
        """Return the fee rate that money is held for; a fee that comes out of what is received needs none."""
        return ZERO if instrument.fee_from_received else self._taker_rate(account, instrument, now)

    def _taker_rate(self, account: Account, instrument: Instrument, now: float) -> Decimal:
        return instrument.fee_rate(False, account.volume_30d(now))

    def _book_entry(self, account: Account, asset: str, amount: Decimal, fee: Decimal, kind: str, ref: str, now: float) -> None:
        balance = account.balance(asset) + amount - fee
        assert balance >= 0 or amount >= fee or kind in OWED, "a balance would become negative"
        account.balances[asset] = balance
        if account.house:
            self._facts.append({"t": "house", "account": account.name, "asset": asset, "delta": str(amount)})
            return
        entry = LedgerEntry(self.ids.txid("L"), ref, now, kind, asset, amount, fee, balance)
        account.ledger.append(entry)
        if len(account.ledger) > self._share(MOST_BOOKINGS):
            account.ledger.popleft()
        self._facts.append(
            {
                "t": "ledger",
                "account": account.name,
                "id": entry.id,
                "ref": ref,
                "at": now,
                "kind": kind,
                "asset": asset,
                "amount": str(amount),
                "fee": str(fee),
                "balance": str(balance),
            }
        )

    # -- bookkeeping ---------------------------------------------------------------------------------------------------

    def _unplace(self, order: Order) -> None:
        if order.status == "pending":
            self.stops[order.symbol].pop(order.id, None)
        elif order.id in self._resting(order):
            self.books[order.symbol].remove(order)

    def _resting(self, order: Order) -> dict[str, Order]:
        if order.limit_price is None:
            return {}
        level = self.books[order.symbol].side(order.side).levels.get(order.limit_price)
        return {} if level is None else level.orders

    def _close(self, order: Order, status: str, now: float, reason: str) -> None:
        account = self.accounts[order.account]
        if order.held:
            account.change_hold(self._hold_asset(order), -order.held)
            order.held = ZERO
        order.status, order.closed, order.reason = status, now, reason
        if order.list_id in self.lists:
            self._end_list(order, now)
        self.open_by_account[account.name].pop(order.id, None)
        if account.house:
            self.orders.pop(order.id, None)
        else:
            self._forget(account)
        self._note(order)

    def _end_list(self, order: Order, now: float) -> None:
        """A cancelled or expired order takes its list with it."""
        for item in self.lists.pop(order.list_id or "", []):
            partner = self.orders.get(item)
            if item != order.id and partner is not None and partner.is_open:
                self.cancel(partner, now, order.reason or "Order list", "canceled" if order.status == "canceled" else "expired")

    def _forget(self, account: Account) -> None:
        """Keep memory flat: of an account's closed orders and fills only the newest stay (the journal has them all until it is folded)."""
        history, most = self.history[account.name], self._share(MOST_ORDERS)
        if len(history) - len(self.open_by_account[account.name]) > most:
            for order_id in [order.id for order in history.values() if not order.is_open][: max(1, most // 10)]:
                old = history.pop(order_id)
                del self.orders[order_id]
                if old.client_id and self.by_client.get((account.name, old.client_id)) == order_id:
                    del self.by_client[(account.name, old.client_id)]
        most = self._share(MOST_FILLS)
        if len(account.fills) > most:
            del account.fills[: len(account.fills) - most + most // 10]

    def _share(self, most: int) -> int:
        """Return an account's share of what memory holds of a kind."""
        return max(most // max(1, len(self.accounts)), min(most, LEAST))

    def _note(self, order: Order) -> None:
        if not self.accounts[order.account].house:
            if order.client_id is not None:
                self.by_client[(order.account, order.client_id)] = order.id
            self._facts.append({"t": "order", "order": order.to_dict()})
