"""What fills cost on Binance spot is written as in the venue's documents."""

from __future__ import annotations

from decimal import Decimal

from exchange_sandbox.accounts import Account
from exchange_sandbox.engine import Engine
from exchange_sandbox.ids import Ids
from exchange_sandbox.orders import Order
from exchange_sandbox.venues.binance.instruments import by_name
from exchange_sandbox.venues.binance.wire import eight

# developers.binance.com, Spot REST API, POST /api/v3/order, response type FULL: price, quantity and commission (0.1 %) of each fill
PUBLISHED = [
    ("4000.00000000", "1.00000000", "4.00000000"),
    ("3999.00000000", "5.00000000", "19.99500000"),
    ("3998.00000000", "2.00000000", "7.99600000"),
    ("3997.00000000", "1.00000000", "3.99700000"),
    ("3995.00000000", "1.00000000", "3.99500000"),
]


def test_the_fills_of_the_published_sale_cost_what_the_document_says() -> None:
    symbol = by_name("binance:BTCUSDT")
    assert symbol is not None
    item = symbol.instrument
    engine = Engine([item], Ids("x"))
    for name, asset in (("ann", item.quote), ("bob", item.base)):
        engine.open_account(Account(name, venue="binance"))
        engine.deposit(engine.accounts[name], asset, Decimal(1_000_000), 0)
    for price, qty, _ in reversed(PUBLISHED):  # the book sorts them, not their order of arrival
        bid = Order(engine.ids.venue_order("binance"), "ann", item.symbol, "buy", "limit", Decimal(qty), limit_price=Decimal(price))
        engine.submit(bid, 1.0)
    sale = Order(engine.ids.venue_order("binance"), "bob", item.symbol, "sell", "market", Decimal(10))
    engine.submit(sale, 2.0)
    fills = engine.accounts["bob"].fills
    assert [(eight(fill.price), eight(fill.qty), eight(fill.fee)) for fill in fills] == PUBLISHED
    assert (eight(sale.filled), eight(sale.cost), eight(sale.fee)) == ("10.00000000", "39983.00000000", "39.98300000")
    assert {fill.fee_asset or item.quote for fill in fills} == {"USDT"}
