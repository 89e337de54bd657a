"""Laws of margin on spot pairs that hold for any sequence of orders, price moves and rollovers; and what the venue's documents say."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sandbox import state
from exchange_sandbox.accounts import Account
from exchange_sandbox.engine import Engine
from exchange_sandbox.ids import Ids
from exchange_sandbox.instruments import Instrument
from exchange_sandbox.lending import ROLLOVER_S
from exchange_sandbox.orders import Order, Refusal

ITEM = Instrument("AAA/USD", "AAA", "USD", D("0.01"), D("0.001"), D("0.001"), D(0), 4, D(10), ((0, "0.40"),), ((0, "0.25"),))
NAMES, HOUSE = ("ann", "bob", "cid"), "house:maker"
SIDES = st.sampled_from(["buy", "sell"])
CENTS = st.integers(970, 1030)
LOTS = st.integers(1, 30_000)
STEP = st.one_of(
    st.tuples(
        st.just("add"),
        st.sampled_from(NAMES),
        SIDES,
        st.sampled_from(["limit", "limit", "market", "stop-loss", "take-profit"]),
        CENTS,
        LOTS,
        st.booleans(),
        st.sampled_from([0, 2, 5]),
    ),
    st.tuples(st.just("house"), SIDES, CENTS, LOTS),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("settle"), st.sampled_from(NAMES), SIDES, st.integers(0, 9_000)),
    st.tuples(st.just("mark"), st.integers(500, 1500)),
    st.tuples(st.just("wait"), st.sampled_from([60.0, float(ROLLOVER_S), 9 * 3600.0])),
)


class World:
    """An engine with one pair, three accounts, a house, and every fact it ever made."""

    def __init__(self) -> None:
        self.engine = Engine([ITEM], Ids("test"))
        house = Account(HOUSE, house=True)
        self.engine.open_account(house)
        house.balances = {"AAA": D(10**6), "USD": D(10**9)}
        self.facts: list[dict[str, Any]] = []
        for name in NAMES:
            account = Account(name)
            self.engine.open_account(account)
            self.facts.append(state.account_fact(account))
            self.engine.deposit(account, "USD", D(100), 0)
            self.engine.deposit(account, "AAA", D(5), 0)
        self.facts.extend(self.engine.drain())
        self.placed: list[Order] = []
        self.now = 1_000_000.0

    def order(self, name: str, side: str, kind: str, lots: int, cents: int, leverage: int = 0, reduce_only: bool = False) -> Order:
        price, plain = D(cents) / 100, kind in ("limit", "market")
        limit, stop = price if kind == "limit" else None, None if plain else price
        made = Order(self.engine.ids.txid("O"), name, ITEM.symbol, side, kind, D(lots) / 1000, limit_price=limit, stop_price=stop)
        made.leverage, made.reduce_only = leverage, reduce_only and leverage > 0
        self.placed.append(made)
        self.engine.submit(made, self.now)
        return made

    def quote(self, side: str, cents: int, lots: int = 10**6) -> None:
        number = self.engine.ids.number("house")
        price, qty = D(cents) / 100, D(lots) / 1000
        order = Order("H%d" % number, HOUSE, ITEM.symbol, side, "limit", qty, limit_price=price, stp="cancel-oldest")
        self.engine.submit(order, self.now)

    def do(self, step: tuple[Any, ...]) -> None:
        engine, self.now = self.engine, self.now + 1
        try:
            if step[0] == "add":
                _, name, side, kind, cents, lots, reduce_only, leverage = step
                self.order(name, side, kind, lots, cents, leverage, reduce_only)
            elif step[0] == "house":
                self.quote(*step[1:])
            elif step[0] == "cancel" and self.placed:
                engine.cancel(self.placed[step[1] % len(self.placed)], self.now)
            elif step[0] == "settle":
                made = Order(engine.ids.txid("O"), step[1], ITEM.symbol, step[2], "settle-position", D(step[3]) / 1000, leverage=2)
                engine.settle(made, self.now)
            elif step[0] == "mark":
                engine.set_index(ITEM.symbol, D(step[1]) / 100, self.now)
            elif step[0] == "wait":
                self.now += step[1]
                engine.expire(self.now)
        except Refusal:
            pass
        self.facts.extend(engine.drain())

    def total(self, asset: str) -> D:
        """Balances and purse, and what positions have borrowed: a long one has taken quote and holds base, a short one the reverse."""
        total = self.engine.fees.get(asset, D(0)) + sum((account.balance(asset) for account in self.engine.accounts.values()), D(0))
        for loans in self.engine.lending.by_account.values():
            total += sum((loan.sign * (loan.left if asset == "AAA" else -loan.cost_left) for loan in loans), D(0))
        return total


def _check(world: World) -> None:
    engine = world.engine
    assert world.total("AAA") == D(10**6 + 15)
    assert world.total("USD") == D(10**9 + 300)
    for name in NAMES:
        account = engine.accounts[name]
        assert account.balance("AAA") >= 0, "coins are never owed outside of positions"
        opened = engine.open_by_account[name].values()
        assert account.held("margin") == sum((order.held for order in opened if order.leverage), D(0))
        assert account.held("USD") == sum((order.held for order in opened if not order.leverage and order.side == "buy"), D(0))
        loans = engine.lending.of(account)
        assert len({loan.side for loan in loans}) < 2, "an opposite order closes before it opens"
        assert all(loan.left > 0 and loan.cost_left >= 0 and loan.left <= loan.qty for loan in loans)
    bid, ask = engine.books[ITEM.symbol].bids.best(), engine.books[ITEM.symbol].asks.best()
    assert bid is None or ask is None or bid < ask


@settings(max_examples=150)
@given(st.lists(STEP, min_size=30, max_size=60))
def test_money_and_coins_are_conserved_after_every_step(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        world.do(step)
        _check(world)


@settings(max_examples=60)
@given(st.lists(STEP, min_size=20, max_size=50))
def test_the_record_gives_the_identical_state(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        world.do(step)
    again = Engine([ITEM], Ids("test"))
    house = Account(HOUSE, house=True)
    again.open_account(house)
    house.balances = {"AAA": D(10**6), "USD": D(10**9)}
    for fact in world.facts:
        state.apply(again, fact)
    state.rebuild_books(again)
    for name in NAMES:
        old, new = world.engine.accounts[name], again.accounts[name]
        assert old.balances == new.balances
        assert {key: value for key, value in old.holds.items() if value} == {key: value for key, value in new.holds.items() if value}
        assert world.engine.lending.of(old) == again.lending.of(new)
        assert list(world.engine.open_by_account[name]) == list(again.open_by_account[name])


def _long(leverage: int = 5, lots: int = 30_000) -> World:
    """Ann, with 100 dollars and 5 coins of 10, is long 30 at 10."""
    world = World()
    world.quote("sell", 1000, lots)
    world.engine.set_index(ITEM.symbol, D(10), world.now)
    world.order("ann", "buy", "market", lots, 0, leverage)
    return world


def test_a_position_costs_fees_and_margin_but_moves_no_balance() -> None:
    world = _long()
    ann, lending = world.engine.accounts["ann"], world.engine.lending
    # 300 x (0.40 % + 0.02 %)
    assert ann.balance("USD") == D("98.74")
    assert ann.balance("AAA") == 5
    assert lending.initial(ann) == 60
    assert lending.equity(ann) == D("148.74")
    assert lending.level(ann) == D("148.74") / 60 * 100
    assert lending.available(ann, "USD") == D("88.74")


def test_opposite_orders_close_the_oldest_position_first_and_book_its_profit() -> None:
    world = _long(lots=10_000)
    world.quote("sell", 1100, 10_000)
    world.order("ann", "buy", "market", 10_000, 0, 2)
    first, second = world.engine.lending.of(world.engine.accounts["ann"])
    world.quote("buy", 1200, 15_000)
    before = world.engine.accounts["ann"].balance("USD")
    world.order("ann", "sell", "market", 15_000, 0, 3)
    left = world.engine.lending.of(world.engine.accounts["ann"])
    assert [(loan.id, loan.left, loan.cost_left) for loan in left] == [(second.id, D(5), D(55))]
    assert first.left == 0
    # 10 x (12 - 10) + 5 x (12 - 11) - 0.40 % of 180; closing opens nothing, so there is no opening fee
    assert world.engine.accounts["ann"].balance("USD") - before == D(25) - D("0.72")


def test_reduce_only_never_opens() -> None:
    world = _long(lots=10_000)
    world.quote("buy", 990, 30_000)
    world.order("ann", "sell", "market", 20_000, 0, 5, reduce_only=True)
    assert world.engine.lending.of(world.engine.accounts["ann"]) == []
    with pytest.raises(Refusal, match="reduce_only"):
        world.order("ann", "sell", "market", 1_000, 0, 5, reduce_only=True)


def test_what_the_margin_does_not_cover_is_refused() -> None:
    world = World()
    world.quote("sell", 1000)
    world.engine.set_index(ITEM.symbol, D(10), world.now)
    with pytest.raises(Refusal, match="insufficient_margin"):
        world.order("ann", "buy", "market", 76_000, 0, 5)  # 760 / 5 = 152 of 150
    world.order("ann", "buy", "market", 73_000, 0, 5)


def test_rollover_is_charged_every_four_hours() -> None:
    world = _long()
    before = world.engine.accounts["ann"].balance("USD")
    world.engine.expire(world.now + ROLLOVER_S - 1)
    assert world.engine.accounts["ann"].balance("USD") == before
    world.engine.expire(world.now + 2 * ROLLOVER_S)
    assert before - world.engine.accounts["ann"].balance("USD") == D("0.12")  # 2 x 0.02 % of 300


def test_margin_call_at_80_and_liquidation_at_40() -> None:
    world = _long()
    world.quote("buy", 600)
    ann = world.engine.accounts["ann"]
    # Equity is 148.74 (coins count at the last trade, which stays at 10) + 30 x (price - 10): 48 is 80 % of the margin, 24 is 40 %.
    for cents, called, opened in ((665, False, 1), (664, True, 1), (585, True, 1), (584, True, 0)):
        world.engine.set_index(ITEM.symbol, D(cents) / 100, world.now)
        level = world.engine.lending.level(ann)
        assert (ann.name in world.engine.lending.called) == called or opened == 0, (cents, level)
        assert len(world.engine.lending.of(ann)) == opened, (cents, level)
    kinds = [fact["t"] for fact in world.engine.drain()]
    assert kinds.count("margin_call") == 1
    assert kinds.count("liquidation") == 1


def test_a_position_can_be_settled_with_what_the_account_has() -> None:
    world = _long(lots=5_000)
    ann = world.engine.accounts["ann"]
    before = dict(ann.balances)
    world.engine.settle(Order("S1", "ann", ITEM.symbol, "sell", "settle-position", D(0), leverage=5), world.now)
    assert world.engine.lending.of(ann) == []
    assert (ann.balance("AAA") - before["AAA"], ann.balance("USD") - before["USD"]) == (D(5), D(-50))
