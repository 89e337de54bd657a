"""Laws of the engine that hold for any sequence of orders: money is conserved, priority is kept, the book is never crossed."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sandbox import state
from exchange_sandbox.accounts import Account
from exchange_sandbox.engine import Engine
from exchange_sandbox.ids import Ids
from exchange_sandbox.instruments import Instrument
from exchange_sandbox.orders import Order, Refusal

ITEM = Instrument(
    "AAA/USD",
    "AAA",
    "USD",
    D("0.01"),
    D("0.001"),
    D("0.001"),
    D("0"),
    5,
    D("10"),
    ((0, "0.40"), (500, "0.35")),
    ((0, "0.25"), (500, "0.20")),
)
NAMES = ("ann", "bob", "cid")

# Few prices and sizes near what the accounts own, so that orders really meet, fill in part and run out of money.
CENTS = st.integers(997, 1003)
LOTS = st.integers(1, 4_000)
ADD = st.tuples(
    st.just("add"),
    st.sampled_from(NAMES),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from(["limit", "limit", "limit", "market", "stop-loss", "take-profit", "stop-loss-limit"]),
    CENTS,
    LOTS,
    st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
    st.sampled_from(["cancel-newest", "cancel-oldest", "cancel-both"]),
)
STEP = st.one_of(
    ADD,
    ADD,
    ADD,
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("amend"), st.integers(0, 30), LOTS, CENTS),
    st.tuples(st.just("index"), CENTS),
)


class World:
    """An engine with three accounts and a record of every trade as it happened."""

    def __init__(self) -> None:
        self.engine = Engine([ITEM], Ids("test"))
        self.trades: list[tuple[D, D]] = []
        self.facts: list[dict[str, Any]] = []
        self.engine.on_trade.append(lambda symbol, price, qty, *rest: self.trades.append((price, qty)))
        for name in NAMES:
            account = Account(name)
            self.engine.open_account(account)
            self.facts.append(state.account_fact(account))
            self.engine.deposit(account, "USD", D("40"), 0)
            self.engine.deposit(account, "AAA", D("4"), 0)
        self.facts.extend(self.engine.drain())
        self.placed: list[Order] = []
        self.now = 1.0

    def do(self, step: tuple[Any, ...]) -> None:
        self.now += 1
        try:
            if step[0] == "add":
                _, name, side, kind, cents, lots, tif, stp = step
                price = D(cents) / 100
                order = Order(
                    self.engine.ids.txid("O"),
                    name,
                    ITEM.symbol,
                    side,
                    kind,
                    D(lots) / 1000,
                    limit_price=price if kind.endswith("limit") else None,
                    stop_price=price if kind not in ("limit", "market") else None,
                    tif=tif,
                    stp=stp,
                )
                self.placed.append(order)
                self.engine.submit(order, self.now)
            elif step[0] == "cancel" and self.placed:
                self.engine.cancel(self.placed[step[1] % len(self.placed)], self.now)
            elif step[0] == "amend" and self.placed:
                order = self.placed[step[1] % len(self.placed)]
                self.engine.amend(
                    order, self.now, qty=D(step[2]) / 1000, limit_price=D(step[3]) / 100 if order.limit_price is not None else None
                )
            elif step[0] == "index":
                self.engine.set_index(ITEM.symbol, D(step[1]) / 100, self.now)
        except Refusal:
            pass
        self.facts.extend(self.engine.drain())

    def totals(self) -> dict[str, D]:
        return {
            asset: sum((account.balance(asset) for account in self.engine.accounts.values()), self.engine.fees.get(asset, D(0)))
            for asset in ("AAA", "USD")
        }


def _check(world: World) -> None:
    engine, book = world.engine, world.engine.books[ITEM.symbol]
    assert world.totals() == {"AAA": D(12), "USD": D(120)}
    for account in engine.accounts.values():
        assert all(balance >= 0 for balance in account.balances.values())
        held = {"USD": D(0), "AAA": D(0)}
        for order in engine.open_by_account[account.name].values():
            held["USD" if order.side == "buy" else "AAA"] += order.held
        assert held == {asset: account.held(asset) for asset in held}
    bid, ask = book.bids.best(), book.asks.best()
    assert bid is None or ask is None or bid < ask
    for side in (book.bids, book.asks):
        assert side.prices == sorted(side.levels)
        for level in side.levels.values():
            assert level.total == sum(order.remaining for order in level.orders.values())
            assert all(order.is_open and order.remaining > 0 for order in level.orders.values())
            assert [order.seq for order in level.orders.values()] == sorted(order.seq for order in level.orders.values())


@settings(max_examples=120)
@given(st.lists(STEP, min_size=30, max_size=60))
def test_money_is_conserved_and_the_book_is_sane_after_every_step(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        world.do(step)
        _check(world)


@settings(max_examples=60)
@given(st.lists(STEP, min_size=30, max_size=60))
def test_replay_of_the_journal_gives_the_identical_state(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        world.do(step)
    again = Engine([ITEM], Ids("test"))
    for fact in world.facts:
        state.apply(again, fact)
    state.rebuild_books(again)
    for name in NAMES:
        one, two = world.engine.accounts[name], again.accounts[name]
        assert one.balances == two.balances
        assert {asset: held for asset, held in one.holds.items() if held} == {asset: held for asset, held in two.holds.items() if held}
        assert (one.fills, one.volume_by_day, list(one.ledger)) == (two.fills, two.volume_by_day, list(two.ledger))
        assert {key: order.to_dict() for key, order in world.engine.history[name].items()} == {
            key: order.to_dict() for key, order in again.history[name].items()
        }
    assert world.engine.fees == again.fees
    for name in ("bids", "asks"):
        one_side, two_side = getattr(world.engine.books[ITEM.symbol], name), getattr(again.books[ITEM.symbol], name)
        assert [(price, list(level.orders)) for price, level in one_side.walk()] == [
            (price, list(level.orders)) for price, level in two_side.walk()
        ]
    assert set(world.engine.stops[ITEM.symbol]) == set(again.stops[ITEM.symbol])


@settings(max_examples=60)
@given(st.lists(STEP, min_size=10, max_size=40))
def test_the_same_steps_give_the_same_facts(steps: list[tuple[Any, ...]]) -> None:
    worlds = [World(), World()]
    for step in steps:
        for world in worlds:
            world.do(step)
    assert worlds[0].facts == worlds[1].facts


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(990, 1010), st.integers(1, 300)), min_size=1, max_size=12), st.integers(1, 2_000))
def test_a_market_order_takes_the_best_price_first_and_the_oldest_order_within_it(resting: list[tuple[int, int]], lots: int) -> None:
    world = World()
    for account in world.engine.accounts.values():
        world.engine.deposit(account, "USD", D(10_000), 0)
    makers = []
    for cents, size in resting:
        order = Order(
            world.engine.ids.txid("O"),
            "ann" if len(makers) % 2 else "bob",
            ITEM.symbol,
            "sell",
            "limit",
            D(size) / 1000,
            limit_price=D(cents) / 100,
        )
        try:
            makers.append(world.engine.submit(order, 1))
        except Refusal:
            continue
    expected = sorted(makers, key=lambda order: (order.limit_price, order.seq))
    world.engine.submit(Order("OTAKER", "cid", ITEM.symbol, "buy", "market", D(lots) / 1000), 2)
    filled = [order.filled > 0 for order in expected]
    assert filled == sorted(filled, reverse=True)
    assert sum(order.remaining > 0 and order.filled > 0 for order in expected) <= 1
    assert [price for price, _ in world.trades] == sorted(price for price, _ in world.trades)
