"""An exchange without sockets, on a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from exchange_sandbox.accounts import Account
from exchange_sandbox.clock import Clock
from exchange_sandbox.config import Config, Listener
from exchange_sandbox.core import Exchange
from exchange_sandbox.market import MarketSettings
from exchange_sandbox.orders import Order
from exchange_sandbox.venues.kraken.instruments import BY_SYMBOL


class Hand:
    """A wall clock moved by hand; starts on a whole day in UTC."""

    def __init__(self) -> None:
        self.now = 1_795_219_200.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """An exchange, its clock, and short ways to trade on it."""

    def __init__(self, directory: Path, symbols: tuple[str, ...], **market: Any) -> None:
        self.hand = Hand()
        listener = Listener("127.0.0.1", 1)
        config = Config(directory, listener, listener, directory / "token", MarketSettings(**market), (), {}, 1e9, 1e9, 8)
        self.exchange = Exchange(config, [BY_SYMBOL[symbol].instrument for symbol in symbols], Clock(self.hand))
        self.account: Account = self.exchange.create_account("bot", {"USDT": Decimal(1000)}, {}, "unlimited", {})

    def wait(self, seconds: float) -> None:
        self.hand.now += seconds
        self.exchange.advance()

    def order(self, side: str, qty: str, symbol: str = "BTC/USDT", kind: str = "market", **more: Any) -> Order:
        order = Order(self.exchange.engine.ids.txid("O"), "bot", symbol, side, kind, Decimal(qty), **more)
        self.exchange.engine.submit(order, self.exchange.clock.now())
        self.exchange.publish()
        return order


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(*symbols: str, **market: Any) -> Desk:
        directory = tmp_path / str(len(made))
        made.append(Desk(directory, symbols or ("BTC/USDT",), **market))
        return made[-1]

    yield make
    for item in made:
        item.exchange.recorder.close()
        item.exchange.journal.close()
