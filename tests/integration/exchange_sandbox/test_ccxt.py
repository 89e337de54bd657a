"""ccxt as an oracle: its sync, async and stream clients work against the sandbox with nothing changed but the base URL."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest


def _settings(sandbox: Any, client: Any) -> dict[str, Any]:
    return {
        "apiKey": client.key,
        "secret": client.secret,
        "enableRateLimit": False,
        "urls": {
            "api": {
                "public": sandbox.venue,
                "private": sandbox.venue,
                "ws": {
                    "publicV2": sandbox.venue.replace("http", "ws") + "/v2",
                    "privateV2": sandbox.venue.replace("http", "ws") + "/v2",
                    "private": sandbox.venue.replace("http", "ws") + "/v2",
                },
            }
        },
    }


@pytest.fixture
def known(shared: Any, request: pytest.FixtureRequest) -> tuple[Any, Any, str]:
    name = request.node.name[:60].replace("[", "-").replace("]", "")
    shared.account(name, tier="unlimited")
    return shared, shared.key(name), name


def test_sync_client_runs_from_start_to_stop(known: tuple[Any, Any, str]) -> None:
    sandbox, client, name = known
    bot = ccxt.kraken(_settings(sandbox, client))
    bot.load_markets()
    market = bot.market("SHIB/USDT")
    assert (market["precision"]["price"], market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (1e-8, 50000.0, 0.5)
    assert bot.fetch_status()["status"] == "ok"
    assert abs(bot.fetch_time() / 1000 - sandbox.ask("GET", "clock")["now"]) < 5
    assert len(bot.fetch_ohlcv("BTC/USDT", "1m")) > 100
    assert bot.fetch_trades("BTC/USDT")
    book = bot.fetch_order_book("ETH/USDT")
    assert book["bids"][0][0] < book["asks"][0][0]
    assert set(bot.fetch_tickers(["BTC/USD", "XRP/USDT"])) == {"BTC/USD", "XRP/USDT"}
    assert bot.fetch_balance()["USDT"]["total"] == 1000
    assert bot.fetch_trading_fee("SHIB/USDT")["taker"] == 0.004

    last = bot.fetch_ticker("SHIB/USDT")["last"]
    bought = bot.create_order("SHIB/USDT", "market", "buy", 600000, None, {"clientOrderId": "entry-1"})
    order = bot.fetch_order(bought["id"])
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 600000.0, "entry-1")
    stop = bot.create_order("SHIB/USDT", "market", "sell", 600000, None, {"stopLossPrice": last * 0.9})
    assert [(row["id"], row["stopLossPrice"]) for row in bot.fetch_open_orders("SHIB/USDT")] == [(stop["id"], round(last * 0.9, 8))]
    assert bot.fetch_balance()["SHIB"]["used"] == 600000.0
    bot.cancel_order(stop["id"])
    rest = bot.create_order("SHIB/USDT", "limit", "sell", 600000, last * 1.5, {"postOnly": True})
    bot.edit_order(rest["id"], "SHIB/USDT", "limit", "sell", 500000, last * 1.6)
    assert bot.fetch_order(rest["id"])["amount"] == 500000.0
    assert bot.cancel_all_orders()
    assert bot.cancel_all_orders_after(60000)
    bot.create_order("SHIB/USDT", "market", "sell", 600000)
    trades = bot.fetch_my_trades("SHIB/USDT")
    assert {row["side"] for row in trades} == {"buy", "sell"}
    assert all(row["fee"]["currency"] == "USDT" for row in trades)
    assert len(bot.fetch_closed_orders("SHIB/USDT")) == 4
    assert bot.fetch_ledger("USDT")
    assert sandbox.failed(name) == set()
    assert sandbox.unjudged(name) == set()


def test_ccxt_sees_the_venues_errors_as_its_own_classes(known: tuple[Any, Any, str]) -> None:
    sandbox, client, _ = known
    bot = ccxt.kraken(_settings(sandbox, client))
    bot.load_markets()
    with pytest.raises(ccxt.InsufficientFunds):
        bot.create_order("BTC/USDT", "market", "buy", 5)
    with pytest.raises(ccxt.InvalidOrder):
        bot.create_order("SHIB/USDT", "limit", "buy", 50, 0.00000800)
    with pytest.raises(ccxt.PermissionDenied):
        bot.withdraw("USDT", 10, "nowhere", {"key": "mine"})
    bot.incrementing_nonce = lambda: 1  # type: ignore[method-assign]
    with pytest.raises(ccxt.InvalidNonce):
        bot.fetch_balance()
    bad = ccxt.kraken({**_settings(sandbox, client), "apiKey": "A" * 56})
    with pytest.raises(ccxt.AuthenticationError):
        bad.fetch_balance()


async def _async_round(sandbox: Any, client: Any) -> str:
    bot = ccxt.async_support.kraken(_settings(sandbox, client))
    try:
        await bot.load_markets()
        await bot.fetch_ticker("XRP/USDT")
        order = await bot.create_order("XRP/USDT", "limit", "buy", 10, 0.5)
        await bot.cancel_order(order["id"])
        return str((await bot.fetch_order(order["id"]))["status"])
    finally:
        await bot.close()


def test_async_client_adds_and_cancels(known: tuple[Any, Any, str], run: Any) -> None:
    sandbox, client, name = known
    assert run(_async_round(sandbox, client)) == "canceled"
    assert sandbox.failed(name) == set()


async def _pro_round(sandbox: Any, client: Any) -> dict[str, Any]:
    bot = ccxt.pro.kraken({**_settings(sandbox, client)})
    seen: dict[str, Any] = {}
    try:
        await bot.load_markets()
        seen["ticker"] = await bot.watch_ticker("SHIB/USDT")
        seen["book"] = await bot.watch_order_book("BTC/USDT", 10)
        seen["trades"] = await bot.watch_trades("ETH/USDT")
        seen["ohlcv"] = await bot.watch_ohlcv("BTC/USDT", "1m")
        seen["balance"] = await bot.watch_balance()
        orders = asyncio.ensure_future(bot.watch_orders("XRP/USDT"))
        mine = asyncio.ensure_future(bot.watch_my_trades("XRP/USDT"))
        await asyncio.sleep(0)
        seen["created"] = await bot.create_order_ws("XRP/USDT", "limit", "buy", 10, 0.5)
        seen["orders"] = list(await orders)
        seen["cancelled"] = await bot.cancel_order_ws(seen["created"]["id"])
        await bot.create_order("XRP/USDT", "market", "buy", 10)
        seen["my_trades"] = list(await mine)
    finally:
        await bot.close()
    return seen


def test_stream_client_watches_markets_orders_and_trades(known: tuple[Any, Any, str], run: Any) -> None:
    sandbox, client, name = known
    seen = run(_pro_round(sandbox, client))
    assert seen["ticker"]["bid"] < seen["ticker"]["ask"]
    assert seen["book"]["bids"][0][0] < seen["book"]["asks"][0][0]
    assert seen["trades"][0]["symbol"] == "ETH/USDT"
    assert len(seen["ohlcv"][0]) == 6
    assert seen["balance"]["USDT"]["total"] == 1000.0
    assert seen["orders"][0]["id"] == seen["created"]["id"]
    assert seen["my_trades"][0]["side"] == "buy"
    assert seen["my_trades"][0]["fee"]["currency"] == "USDT"
    assert sandbox.failed(name) == set()
