"""The matching engine against an independent one from PyPI (order-matching): the same orders give the same trades and the same book."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal as D

from hypothesis import given, settings
from hypothesis import strategies as st
from order_matching.enums import Side
from order_matching.matching_engine import MatchingEngine
from order_matching.order import LimitOrder, MarketOrder
from order_matching.orders import Orders

from exchange_sandbox.accounts import Account
from exchange_sandbox.engine import Engine
from exchange_sandbox.ids import Ids
from exchange_sandbox.instruments import Instrument
from exchange_sandbox.orders import Order

ITEM = Instrument("AAA/USD", "AAA", "USD", D(1), D(1), D(1), D(0), 5, D(100), ((0, "0"),), ((0, "0"),))
START = datetime(2025, 1, 1)  # noqa: DTZ001  the other engine compares with times without a zone
#: whole prices and sizes: the other engine counts in floats, which are exact for these
STEP = st.one_of(
    st.tuples(st.just("limit"), st.sampled_from(["buy", "sell"]), st.integers(95, 105), st.integers(1, 20)),
    st.tuples(st.just("limit"), st.sampled_from(["buy", "sell"]), st.integers(95, 105), st.integers(1, 20)),
    st.tuples(st.just("market"), st.sampled_from(["buy", "sell"]), st.just(0), st.integers(1, 30)),
    st.tuples(st.just("cancel"), st.just(""), st.integers(0, 40), st.just(0)),
)
Trade = tuple[str, str, D, D]


def _ours(steps: list[tuple[str, str, int, int]]) -> tuple[list[Trade], dict[str, D]]:
    """Return trades (incoming, resting, price, size) and what rests at the end."""
    engine = Engine([ITEM], Ids("test"))
    trades: list[Trade] = []
    for number, (kind, side, price, size) in enumerate(steps):
        if kind == "cancel":
            order = engine.orders.get("o%d" % price)
            if order is not None and order.is_open:
                engine.cancel(order, number)
            continue
        # One account an order: neither engine then knows a trade with oneself.
        account = Account("a%d" % number)
        engine.open_account(account)
        engine.deposit(account, "USD", D(10**6), 0)
        engine.deposit(account, "AAA", D(10**6), 0)
        order = Order("o%d" % number, account.name, "AAA/USD", side, kind, D(size), limit_price=D(price) if kind == "limit" else None)
        engine.drain()
        engine.submit(order, number)
        resting = [
            (fact["fill"]["order_id"], D(fact["fill"]["price"]), D(fact["fill"]["qty"])) for fact in engine.drain() if fact["t"] == "fill"
        ]
        trades += [("o%d" % number, name, at, qty) for name, at, qty in resting if name != "o%d" % number]
    return trades, {order.id: order.remaining for order in engine.orders.values() if order.is_open}


def _theirs(steps: list[tuple[str, str, int, int]]) -> tuple[list[Trade], dict[str, D]]:

    engine, trades = MatchingEngine(seed=1), []
    for number, (kind, side, price, size) in enumerate(steps):
        at = START + timedelta(seconds=number)
        if kind == "cancel":
            if engine.unprocessed_orders.find_order_by_id("o%d" % price) is not None:
                engine.cancel_order("o%d" % price)
            continue
        values = {
            "side": Side.BUY if side == "buy" else Side.SELL,
            "size": float(size),
            "timestamp": at,
            "order_id": "o%d" % number,
            "trader_id": str(number),
        }
        order = LimitOrder(price=float(price), **values) if kind == "limit" else MarketOrder(**values)
        engine.place(orders=Orders([order]))
        for trade in engine.match(timestamp=at).trades:
            trades.append((trade.incoming_order_id, trade.book_order_id, D(str(trade.price)), D(str(trade.size))))
        # A market order's rest is cancelled here as at the venues; the other engine would keep it.
        if kind == "market" and engine.unprocessed_orders.find_order_by_id("o%d" % number) is not None:
            engine.cancel_order("o%d" % number)
    book = engine.unprocessed_orders
    resting = {
        order.order_id: D(str(order.size))
        for side in (book.bids, book.offers)
        for level in side.values()
        for order in level
        if order.size > 0
    }
    return trades, resting


@settings(max_examples=150)
@given(st.lists(STEP, min_size=5, max_size=60))
def test_the_same_orders_give_the_same_trades_and_the_same_book(steps: list[tuple[str, str, int, int]]) -> None:
    (our_trades, our_book), (their_trades, their_book) = _ours(steps), _theirs(steps)
    assert our_trades == their_trades
    assert our_book == their_book
