"""ccxt as an oracle for Binance: sync, async and stream clients work on spot and USD-M futures with nothing changed but the URLs."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from .binance_client import BinanceClient, open_account, point_ccxt
from .conftest import Sandbox

SPOT, PERP = "BTC/USDT", "BTC/USDT:USDT"


@pytest.fixture
def known(binance: Sandbox, request: pytest.FixtureRequest) -> BinanceClient:
    return open_account(binance, request.node.name[:60], tier="unlimited")


def _clean(client: BinanceClient) -> None:
    """The judge has nothing against a client that ccxt drove, and understood all of it."""
    assert client.sandbox.failed(client.account) == set()
    assert client.sandbox.unjudged(client.account) <= {"entry_on_stale_data"}


def test_sync_client_runs_spot_from_start_to_stop(known: BinanceClient) -> None:
    bot = point_ccxt(ccxt.binance(), known.sandbox, known)
    bot.load_markets()
    market = bot.market(SPOT)
    assert (market["precision"]["price"], market["precision"]["amount"], market["limits"]["cost"]["min"]) == (0.01, 1e-05, 5.0)
    assert abs(bot.fetch_time() / 1000 - known.now() / 1000) < 5
    assert bot.fetch_status()["status"] == "ok"
    assert len(bot.fetch_ohlcv(SPOT, "3m")) > 100
    assert bot.fetch_trades(SPOT)
    book = bot.fetch_order_book("ETH/USDT")
    assert book["bids"][0][0] < book["asks"][0][0]
    assert set(bot.fetch_tickers([SPOT, "XRP/USDT"])) == {SPOT, "XRP/USDT"}
    assert bot.fetch_balance()["USDT"]["total"] == 5000
    assert bot.fetch_trading_fee(SPOT)["taker"] == 0.001

    bought = bot.create_order(SPOT, "market", "buy", 0.01, None, {"clientOrderId": "entry-1"})
    assert (bought["status"], bought["filled"], bought["clientOrderId"]) == ("closed", 0.01, "entry-1")
    assert {fee["currency"] for fee in bought["fees"]} == {"BTC"}
    have = bot.fetch_balance()["BTC"]["total"]
    assert 0.00998 < have < 0.01
    last = bot.fetch_ticker(SPOT)["last"]
    stop = bot.create_order(SPOT, "limit", "sell", 0.005, last * 0.89, {"stopLossPrice": last * 0.9})
    profit = bot.create_order(SPOT, "limit", "sell", 0.002, last * 1.31, {"takeProfitPrice": last * 1.3})
    assert [row["info"]["type"].lower() for row in bot.fetch_open_orders(SPOT)] == ["stop_loss_limit", "take_profit_limit"]
    assert bot.fetch_balance()["BTC"]["used"] == pytest.approx(0.007)
    assert bot.cancel_order(stop["id"], SPOT)["status"] == "canceled"
    bot.cancel_order(profit["id"], SPOT)
    rest = bot.create_order(SPOT, "limit", "sell", 0.004, last * 1.5, {"postOnly": True})
    changed = bot.edit_order(rest["id"], SPOT, "limit", "sell", 0.003, last * 1.6)
    assert (changed["amount"], bot.fetch_order(rest["id"], SPOT)["status"]) == (0.003, "canceled")
    assert len(bot.cancel_all_orders(SPOT)) == 1
    bot.create_order(SPOT, "market", "sell", 0.009)
    assert {row["side"] for row in bot.fetch_my_trades(SPOT)} == {"buy", "sell"}
    assert [row["status"] for row in bot.fetch_orders(SPOT)] == ["closed", "canceled", "canceled", "canceled", "canceled", "closed"]
    cost = bot.create_market_buy_order_with_cost(SPOT, 100)
    assert 99 < cost["cost"] <= 100
    _clean(known)


def test_sync_client_runs_futures_from_start_to_stop(known: BinanceClient) -> None:
    bot = point_ccxt(ccxt.binanceusdm(), known.sandbox, known)
    bot.load_markets()
    assert bot.market(PERP)["precision"]["amount"] == 0.001
    assert bot.fetch_balance()["USDT"]["total"] == 5000
    # What freqtrade asks before it trades futures.
    assert bot.fapiprivate_get_positionside_dual() == {"dualSidePosition": False}
    assert bot.fapiprivate_get_multiassetsmargin() == {"multiAssetsMargin": False}
    bot.set_margin_mode("isolated", PERP)
    with pytest.raises(ccxt.MarginModeAlreadySet):
        bot.set_margin_mode("isolated", PERP)
    assert bot.set_leverage(10, PERP)["leverage"] == 10
    assert bot.fetch_leverage_tiers([PERP])[PERP][0]["maxLeverage"] == 125
    assert bot.fetch_funding_rate(PERP)["nextFundingTimestamp"] or bot.fetch_funding_rate(PERP)["fundingRate"] is not None
    assert bot.fetch_funding_rate_history(PERP)
    assert len(bot.fetch_ohlcv(PERP, "1h", params={"price": "mark"})) > 5

    last = bot.fetch_ticker(PERP)["last"]
    bought = bot.create_order(PERP, "market", "buy", 0.01, None, {"clientOrderId": "entry-um"})
    assert (bought["status"], bought["filled"]) == ("closed", 0.01)
    position = bot.fetch_positions([PERP])[0]
    assert (position["side"], position["contracts"], position["marginMode"]) == ("long", 0.01, "isolated")
    assert 0 < position["liquidationPrice"] < last
    stop = bot.create_order(PERP, "market", "sell", 0.01, None, {"stopLossPrice": last * 0.9, "reduceOnly": True})
    profit = bot.create_order(PERP, "market", "sell", 0.01, None, {"takeProfitPrice": last * 1.2, "reduceOnly": True})
    assert bot.fetch_open_orders(PERP) == []
    assert [row["id"] for row in bot.fetch_open_orders(PERP, params={"trigger": True})] == [stop["id"], profit["id"]]
    assert bot.cancel_order(stop["id"], PERP, {"trigger": True})["id"] == stop["id"]
    assert bot.fetch_order(stop["id"], PERP, {"trigger": True})["status"] == "canceled"
    rest = bot.create_order(PERP, "limit", "buy", 0.01, last * 0.9, {"timeInForce": "GTX"})
    assert rest["postOnly"]
    assert bot.edit_order(rest["id"], PERP, "limit", "buy", 0.012, last * 0.91)["amount"] == 0.012
    bot.cancel_order(rest["id"], PERP)
    bot.cancel_all_orders(PERP, {"trigger": True})
    bot.cancel_all_orders(PERP)
    assert bot.fapiprivate_post_countdowncancelall({"symbol": "BTCUSDT", "countdownTime": "60000"})["countdownTime"] == "60000"
    bot.create_order(PERP, "market", "sell", 0.01, None, {"reduceOnly": True})
    assert bot.fetch_positions([PERP]) == []
    assert {row["side"] for row in bot.fetch_my_trades(PERP)} == {"buy", "sell"}
    assert {row["info"]["incomeType"] for row in bot.fetch_ledger("USDT")} == {"TRANSFER", "COMMISSION", "REALIZED_PNL"}
    bot.set_position_mode(True)
    bot.create_order("ETH/USDT:USDT", "market", "sell", 0.5, None, {"positionSide": "SHORT"})
    bot.create_order("ETH/USDT:USDT", "market", "buy", 0.2, None, {"positionSide": "LONG"})
    assert {(row["side"], row["contracts"]) for row in bot.fetch_positions()} == {("short", 0.5), ("long", 0.2)}
    _clean(known)


def test_ccxt_sees_the_venues_errors_as_its_own_classes(known: BinanceClient) -> None:
    spot = point_ccxt(ccxt.binance(), known.sandbox, known)
    spot.load_markets()
    with pytest.raises(ccxt.InsufficientFunds):
        spot.create_order(SPOT, "market", "buy", 5)
    # ccxt's finer classes of -1013 hang on the venue's host name in the URL.
    with pytest.raises((ccxt.InvalidOrder, ccxt.BadRequest), match="NOTIONAL"):
        spot.create_order(SPOT, "limit", "buy", 0.00001, 10000)
    with pytest.raises(ccxt.OrderNotFound):
        spot.cancel_order("424242", SPOT)
    future = point_ccxt(ccxt.binanceusdm(), known.sandbox, known)
    future.load_markets()
    with pytest.raises(ccxt.ExchangeError, match="Margin is insufficient"):
        future.create_order(PERP, "market", "buy", 50)
    with pytest.raises(ccxt.ExchangeError, match="-5022"):
        future.create_order(PERP, "limit", "buy", 0.01, future.fetch_ticker(PERP)["last"] * 1.05, {"timeInForce": "GTX"})
    late = point_ccxt(ccxt.binance(), known.sandbox, known)
    late.nonce = lambda: 1  # type: ignore[method-assign]
    with pytest.raises(ccxt.InvalidNonce):
        late.fetch_balance()
    stranger = BinanceClient(known.sandbox, "A" * 64, known.secret, known.account)
    with pytest.raises(ccxt.AuthenticationError):
        point_ccxt(ccxt.binance(), known.sandbox, stranger).fetch_balance()


async def _async_round(client: BinanceClient) -> str:
    bot = point_ccxt(ccxt.async_support.binance(), client.sandbox, client)
    try:
        await bot.load_markets()
        await bot.fetch_ticker("XRP/USDT")
        order = await bot.create_order("XRP/USDT", "limit", "buy", 10, 1.5)
        await bot.cancel_order(order["id"], "XRP/USDT")
        return str((await bot.fetch_order(order["id"], "XRP/USDT"))["status"])
    finally:
        await bot.close()


def test_async_client_adds_and_cancels(known: BinanceClient, run: Any) -> None:
    assert run(_async_round(known)) == "canceled"
    _clean(known)


async def _pro_round(client: BinanceClient, kind: str, symbol: str) -> dict[str, Any]:
    bot = point_ccxt(getattr(ccxt.pro, kind)(), client.sandbox, client)
    seen: dict[str, Any] = {}
    try:
        await bot.load_markets()
        seen["ticker"] = await bot.watch_ticker(symbol)
        seen["book"] = dict(await bot.watch_order_book(symbol))
        seen["book"] = dict(await bot.watch_order_book(symbol))
        seen["trades"] = await bot.watch_trades(symbol)
        seen["ohlcv"] = await bot.watch_ohlcv(symbol, "1m")
        orders = asyncio.ensure_future(bot.watch_orders(symbol))
        mine = asyncio.ensure_future(bot.watch_my_trades(symbol))
        balance = asyncio.ensure_future(bot.watch_balance())
        # The subscription is on its way; an order that comes before it is not told.
        while not await _listening(client):
            await asyncio.sleep(0.05)
        seen["created"] = await bot.create_order(symbol, "limit", "buy", 0.01, 70000)
        seen["orders"] = list(await orders)
        await bot.create_order(symbol, "market", "buy", 0.01)
        seen["my_trades"] = list(await mine)
        seen["balance"] = await balance
        if kind == "binanceusdm":
            seen["positions"] = await bot.fetch_positions([symbol])
        seen["cancelled"] = await bot.cancel_order_ws(seen["created"]["id"], symbol)
        return seen
    finally:
        await bot.close()


async def _listening(client: BinanceClient) -> bool:
    """Ask the record whether the account's user data stream was opened."""
    rows = (await asyncio.to_thread(client.sandbox.ask, "GET", "requests?account=" + client.account))["requests"]
    return any(row["endpoint"] in ("open", "userDataStream.subscribe.signature") and row["verdict"] == "pass" for row in rows)


@pytest.mark.parametrize(("kind", "symbol"), [("binance", SPOT), ("binanceusdm", PERP)])
def test_stream_client_watches_and_trades(binance: Sandbox, kind: str, symbol: str, run: Any) -> None:
    client = open_account(binance, "pro-" + kind, tier="unlimited")
    seen = run(_pro_round(client, kind, symbol))
    assert seen["ticker"]["last"] > 0
    assert seen["book"]["bids"][0][0] < seen["book"]["asks"][0][0]
    assert seen["trades"]
    assert seen["ohlcv"][0][4] > 0
    assert seen["orders"][0]["id"] == seen["created"]["id"]
    assert seen["my_trades"][0]["side"] == "buy"
    assert seen["balance"]["USDT"]["total"] > 0
    assert seen["cancelled"]["status"] == "canceled"
    _clean(client)
