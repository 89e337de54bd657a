"""What the engine does with each kind of order, one case at a time, with the venue's published roundings."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from exchange_sandbox.accounts import Account
from exchange_sandbox.engine import Engine
from exchange_sandbox.ids import Ids
from exchange_sandbox.instruments import Instrument
from exchange_sandbox.orders import Order, Refusal


class World:
    """Three rich accounts on one pair."""

    def __init__(self, taker: str = "0.40", maker: str = "0.25", tick: str = "0.1", usd: str = "1000000") -> None:
        item = Instrument(
            "BTC/USD", "BTC", "USD", D(tick), D("0.00000001"), D("0.00005"), D("0.5"), 5, D("100"), ((0, taker),), ((0, maker),)
        )
        self.engine = Engine([item], Ids("test"))
        for name in ("ann", "bob", "cid"):
            account = Account(name)
            self.engine.open_account(account)
            self.engine.deposit(account, "USD", D(usd), 0)
            self.engine.deposit(account, "BTC", D(100), 0)

    def put(self, name: str, side: str, qty: str, price: str | None = None, **more: Any) -> Order:
        kind = more.pop("type", "limit" if price else "market")
        order = Order(self.engine.ids.txid("O"), name, "BTC/USD", side, kind, D(qty), limit_price=D(price) if price else None, **more)
        return self.engine.submit(order, 1.0)


# Executions printed in public documents and answers: price, quantity, fee percent, cost and fee as the venue wrote them.
@pytest.mark.parametrize(
    ("price", "qty", "percent", "cost", "fee"),
    [("72026.5", "0.00010000", "0.26", "7.20265", "0.01873"), ("30010.0", "0.02", "0.00", "600.20000", "0.00000")],
)
def test_cost_and_fee_are_rounded_as_the_venue_prints_them(price: str, qty: str, percent: str, cost: str, fee: str) -> None:
    world = World(taker=percent)
    world.put("ann", "sell", qty, price)
    world.put("bob", "buy", qty)
    fill = world.engine.accounts["bob"].fills[0]
    assert (str(fill.cost), str(fill.fee)) == (cost, fee)


def test_an_order_in_many_fills_pays_the_fee_of_one() -> None:
    world = World(taker="0.26")
    for _ in range(50):
        world.put("ann", "sell", "0.00000007", "101.3")
    order = world.put("bob", "buy", "0.0000035")
    assert order.fee == (order.fee_exact).quantize(D("0.00001"))
    assert len(world.engine.accounts["bob"].fills) == 50


def test_open_buys_together_never_hold_more_than_the_balance() -> None:
    world = World(usd="100")
    world.put("ann", "buy", "0.6", "100")
    with pytest.raises(Refusal, match="insufficient_funds"):
        world.put("ann", "buy", "0.6", "100")
    assert world.engine.accounts["ann"].held("USD") == D("0.6") * 100 * D("1.004") + D("0.00001")


def test_a_waiting_stop_holds_the_coins_it_would_sell() -> None:
    world = World()
    world.put("ann", "sell", "100", type="stop-loss", stop_price=D("50"))
    with pytest.raises(Refusal, match="insufficient_funds"):
        world.put("ann", "sell", "1", "200")


@pytest.mark.parametrize(
    ("qty", "price", "first"), [("2", None, "bob"), ("0.5", None, "ann"), (None, "100.0", "ann"), ("0.5", "100.1", "bob")]
)
def test_amending_keeps_the_place_only_for_the_same_price_and_no_more_quantity(qty: str | None, price: str | None, first: str) -> None:
    world = World()
    mine = world.put("ann", "sell", "1", "100.0")
    world.put("bob", "sell", "1", "100.0")
    world.engine.amend(mine, 2.0, qty=D(qty) if qty else None, limit_price=D(price) if price else None)
    world.put("cid", "buy", "0.1")
    assert [name for name in ("ann", "bob") if world.engine.accounts[name].fills] == [first]


def test_post_only_is_refused_when_it_would_trade_and_rests_otherwise() -> None:
    world = World()
    world.put("ann", "sell", "1", "100.0")
    with pytest.raises(Refusal, match="post_only_would_cross"):
        world.put("bob", "buy", "1", "100.0", post_only=True)
    assert world.put("bob", "buy", "1", "99.9", post_only=True).status == "open"


def test_ioc_fills_what_is_there_and_fok_all_or_nothing() -> None:
    world = World()
    world.put("ann", "sell", "1", "100.0")
    none = world.put("bob", "buy", "2", "100.0", tif="FOK")
    some = world.put("bob", "buy", "2", "100.0", tif="IOC")
    assert (none.status, none.filled, some.status, some.filled) == ("canceled", D(0), "canceled", D(1))


@pytest.mark.parametrize(
    ("mode", "resting", "newest"),
    [("cancel-newest", "open", "canceled"), ("cancel-oldest", "canceled", "open"), ("cancel-both", "canceled", "canceled")],
)
def test_nobody_trades_with_himself(mode: str, resting: str, newest: str) -> None:
    world = World()
    old = world.put("ann", "sell", "1", "100.0")
    new = world.put("ann", "buy", "1", "100.0", stp=mode)
    assert (old.status, new.status) == (resting, newest)
    assert world.engine.accounts["ann"].fills == []


def test_stops_trigger_on_the_last_price_and_index_stops_on_the_index() -> None:
    world = World()
    world.put("bob", "buy", "10", "89.0")
    by_last = world.put("ann", "sell", "1", type="stop-loss", stop_price=D("90"))
    by_index = world.put("ann", "sell", "1", type="stop-loss", stop_price=D("90"), trigger="index")
    world.engine.set_index("BTC/USD", D("85"), 2.0)
    assert (by_last.status, by_index.status) == ("closed", "closed")


def test_an_index_below_a_last_price_stop_leaves_it_waiting() -> None:
    world = World()
    stop = world.put("ann", "sell", "1", type="stop-loss", stop_price=D("90"))
    world.engine.set_index("BTC/USD", D("85"), 2.0)
    assert stop.status == "pending"


def test_take_profit_and_stop_limit_turn_into_what_they_say() -> None:
    world = World()
    profit = world.put("ann", "sell", "1", "119.0", type="take-profit-limit", stop_price=D("120"))
    world.put("bob", "buy", "2", "121.0")
    world.put("cid", "sell", "1", "121.0")
    assert (profit.triggered, profit.status, profit.filled) == (True, "closed", D(1))


def test_a_trailing_stop_follows_up_and_never_down() -> None:
    world = World()
    stop = world.put("ann", "sell", "1", type="trailing-stop", stop_price=D("95"), trail=D("5"), trigger="index")
    for price in ("110", "107"):
        world.engine.set_index("BTC/USD", D(price), 2.0)
    assert (stop.status, stop.stop_price) == ("pending", D("105"))
    world.put("bob", "buy", "5", "90.0")
    world.engine.set_index("BTC/USD", D("104"), 3.0)
    assert stop.status == "closed"


def test_a_buying_stop_in_a_gap_never_spends_more_than_there_is() -> None:
    world = World(usd="200")
    world.put("ann", "buy", "1", type="stop-loss", stop_price=D("110"))
    world.put("bob", "sell", "5", "190.0")
    world.put("cid", "buy", "0.5", "190.0")
    account = world.engine.accounts["ann"]
    assert account.balance("USD") >= 0
    assert account.fills[0].price == D("190.0")


def test_a_conditional_close_appears_for_what_was_filled() -> None:
    world = World()
    world.put("ann", "sell", "0.4", "100.0")
    world.put("bob", "buy", "1", "100.0", close={"ordertype": "stop-loss", "price": "90.0"})
    closes = [order for order in world.engine.open_by_account["bob"].values() if order.type == "stop-loss"]
    assert [(order.side, order.qty, order.stop_price) for order in closes] == [("sell", D("0.4"), D("90.0"))]


def test_the_dead_mans_timer_cancels_stops_too() -> None:
    world = World()
    world.put("ann", "sell", "1", type="stop-loss", stop_price=D("50"))
    world.put("ann", "buy", "1", "50.0")
    world.engine.accounts["ann"].cancel_all_at = 10.0
    world.engine.expire(9.9)
    assert len(world.engine.open_by_account["ann"]) == 2
    world.engine.expire(10.0)
    assert world.engine.open_by_account["ann"] == {}
