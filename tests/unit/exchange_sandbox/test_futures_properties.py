"""Laws of perpetual contracts that hold for any sequence of orders, price moves and fundings."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sandbox import state
from exchange_sandbox.accounts import Account
from exchange_sandbox.engine import Engine
from exchange_sandbox.ids import Ids
from exchange_sandbox.instruments import Bracket, Contract, Instrument
from exchange_sandbox.orders import Order, Refusal

WALLET = "um:USDT"
ITEM = Instrument(
    "binance_usdm:AAA/USDT:USDT", "um:AAAUSDT", WALLET, D("0.01"), D("0.001"), D("0.001"), D(0), 8, D(10),
    ((0, "0.05"),), ((0, "0.02"),), venue="binance",
    contract=Contract((Bracket(D(100), 50, D("0.01"), D(0)), Bracket(D(10**6), 10, D("0.05"), D(4)))),
)  # fmt: skip
NAMES, HOUSE = ("ann", "bob", "cid"), "house:maker"
SIDES = st.sampled_from(["buy", "sell"])
CENTS = st.integers(970, 1030)
LOTS = st.integers(1, 60_000)
STEP = st.one_of(
    st.tuples(
        st.just("add"),
        st.sampled_from(NAMES),
        SIDES,
        st.sampled_from(["limit", "limit", "market", "stop-loss", "take-profit"]),
        CENTS,
        LOTS,
        st.booleans(),
        st.sampled_from(["cancel-newest", "cancel-oldest", "cancel-both"]),
    ),
    st.tuples(st.just("house"), SIDES, CENTS, LOTS),
    st.tuples(st.just("cancel"), st.integers(0, 30)),
    st.tuples(st.just("mark"), st.integers(600, 1400)),
    st.tuples(st.just("wait"), st.sampled_from([60.0, 8 * 3600.0])),
    st.tuples(st.just("modes"), st.sampled_from(NAMES), st.sampled_from([1, 5, 20, 50]), st.sampled_from(["cross", "isolated"])),
)


class World:
    """An engine with one contract, three accounts, a house, and every fact it ever made."""

    def __init__(self) -> None:
        self.engine = Engine([ITEM], Ids("test"))
        house = Account(HOUSE, house=True)
        self.engine.open_account(house)
        house.balances = {ITEM.base: D(10**6), ITEM.quote: D(10**9)}
        self.facts: list[dict[str, Any]] = []
        for name in NAMES:
            account = Account(name, venue="binance")
            self.engine.open_account(account)
            self.facts.append(state.account_fact(account))
            self.engine.deposit(account, WALLET, D(100), 0)
        self.facts.extend(self.engine.drain())
        self.placed: list[Order] = []
        self.now = 1_000_000.0
        self.engine.expire(self.now)

    def do(self, step: tuple[Any, ...]) -> None:
        engine, self.now = self.engine, self.now + 1
        try:
            if step[0] == "add":
                _, name, side, kind, cents, lots, reduce_only, stp = step
                price = D(cents) / 100
                order = Order(
                    engine.ids.venue_order("binance"), name, ITEM.symbol, side, kind, D(lots) / 1000,
                    limit_price=price if kind == "limit" else None, stop_price=price if kind not in ("limit", "market") else None,
                    reduce_only=reduce_only, stp=stp,
                )  # fmt: skip
                self.placed.append(order)
                engine.submit(order, self.now)
            elif step[0] == "house":
                number = engine.ids.number("house")
                engine.submit(
                    Order(
                        "H%d" % number,
                        HOUSE,
                        ITEM.symbol,
                        step[1],
                        "limit",
                        D(step[3]) / 1000,
                        limit_price=D(step[2]) / 100,
                        stp="cancel-oldest",
                    ),
                    self.now,
                )
            elif step[0] == "cancel" and self.placed:
                engine.cancel(self.placed[step[1] % len(self.placed)], self.now)
            elif step[0] == "mark":
                engine.set_index(ITEM.symbol, D(step[1]) / 100, self.now)
            elif step[0] == "wait":
                self.now += step[1]
                engine.expire(self.now)
            elif step[0] == "modes":
                self._modes(engine.accounts[step[1]], step[2], step[3])
        except Refusal:
            pass
        self.facts.extend(engine.drain())

    def _modes(self, account: Account, leverage: int, margin: str) -> None:
        """Change leverage and margin type as the venue lets: only without position and orders."""
        if not account.futures.open() and not self.engine.open_by_account[account.name]:
            account.futures.leverage[ITEM.symbol], account.futures.margin[ITEM.symbol] = leverage, margin
            self.engine.choose_modes(account)

    def money(self) -> D:
        """Wallets less what the positions cost, plus the purse: the house keeps its side in plain balances."""
        total = self.engine.fees.get(WALLET, D(0))
        for account in self.engine.accounts.values():
            total += account.balance(WALLET) - sum((item.cost for item in account.futures.positions.values()), D(0))
        return total

    def contracts(self) -> D:
        held = sum((account.futures.net(ITEM.symbol) for account in self.engine.accounts.values()), D(0))
        return held + self.engine.accounts[HOUSE].balance(ITEM.base)


def _check(world: World) -> None:
    engine = world.engine
    assert world.money() == D(10**9 + 300)
    assert world.contracts() == D(10**6)
    for name in NAMES:
        account = engine.accounts[name]
        assert account.balance(WALLET) >= 0
        assert account.held(WALLET) == sum((order.held for order in engine.open_by_account[name].values()), D(0))
        for position in account.futures.positions.values():
            assert (position.qty == 0) == (position.cost == 0)
            assert position.qty * position.cost >= 0
            if not position.qty:
                assert position.isolated == 0
    bid, ask = engine.books[ITEM.symbol].bids.best(), engine.books[ITEM.symbol].asks.best()
    assert bid is None or ask is None or bid < ask


@settings(max_examples=120)
@given(st.lists(STEP, min_size=30, max_size=60))
def test_money_and_contracts_are_conserved_after_every_step(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        world.do(step)
        _check(world)


@settings(max_examples=60)
@given(st.lists(STEP, min_size=30, max_size=60))
def test_replay_of_the_record_gives_the_identical_state(steps: list[tuple[Any, ...]]) -> None:
    world = World()
    for step in steps:
        world.do(step)
    again = Engine([ITEM], Ids("test"))
    house = Account(HOUSE, house=True)
    again.open_account(house)
    house.balances = {ITEM.base: D(10**6), ITEM.quote: D(10**9)}
    for fact in world.facts:
        state.apply(again, fact)
    state.rebuild_books(again)
    for name in (*NAMES, HOUSE):
        one, two = world.engine.accounts[name], again.accounts[name]
        assert one.balances == two.balances
        assert one.futures.modes() == two.futures.modes()
        assert {key: item for key, item in one.futures.positions.items() if item.qty} == {
            key: item for key, item in two.futures.positions.items() if item.qty
        }
        assert {asset: held for asset, held in one.holds.items() if held} == {asset: held for asset, held in two.holds.items() if held}
        assert one.fills == two.fills
        assert {key: order.to_dict() for key, order in world.engine.history[name].items()} == {
            key: order.to_dict() for key, order in again.history[name].items()
        }
    assert {asset: fee for asset, fee in world.engine.fees.items() if fee} == {asset: fee for asset, fee in again.fees.items() if fee}
    assert world.engine.margin.funded == again.margin.funded or not world.engine.margin.charged


@settings(max_examples=60)
@given(SIDES, st.lists(st.tuples(CENTS, st.integers(1, 500)), min_size=1, max_size=8), st.integers(700, 1300))
def test_closing_everything_realises_what_the_prices_say(side: str, fills: list[tuple[int, int]], exit_cents: int) -> None:
    """Profit is exit less entry times quantity, exactly, however the entry was split."""
    world = World()
    engine, other = world.engine, "sell" if side == "buy" else "buy"
    for cents, lots in fills:
        world.do(("house", other, cents, lots))
        engine.submit(
            Order(engine.ids.venue_order("binance"), "ann", ITEM.symbol, side, "limit", D(lots) / 1000, limit_price=D(cents) / 100),
            world.now,
        )
    position = engine.accounts["ann"].futures.of(ITEM.symbol, "BOTH")
    if not position.qty or engine.open_by_account["ann"]:
        return
    qty, cost = position.qty, position.cost
    for name in list(engine.orders):
        if engine.orders[name].account == HOUSE:
            engine.cancel(engine.orders[name], world.now)
    engine.submit(
        Order(
            "HX", HOUSE, ITEM.symbol, "buy" if qty > 0 else "sell", "limit", abs(qty), limit_price=D(exit_cents) / 100, stp="cancel-oldest"
        ),
        world.now,
    )
    engine.submit(Order(engine.ids.venue_order("binance"), "ann", ITEM.symbol, other, "market", abs(qty), reduce_only=True), world.now)
    realized = sum((fill.realized for fill in engine.accounts["ann"].fills), D(0))
    assert position.qty == 0
    assert realized == qty * D(exit_cents) / 100 - cost
