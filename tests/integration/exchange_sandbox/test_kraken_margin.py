"""Margin on Kraken's spot pairs, over the wire: AddOrder with leverage, OpenPositions, TradeBalance, call, liquidation, restart."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import ccxt

from .conftest import Client, Sandbox, eventually, http

PAIR = {"pair": "XBTUSDT"}


def _account(sandbox: Sandbox, name: str, usdt: str = "10000", **more: Any) -> Client:
    sandbox.account(name, balances={"USDT": usdt}, **more)
    client = sandbox.key(name)
    client.look("XBTUSDT")
    return client


def _enter(client: Client, volume: str = "0.1", leverage: str = "5", side: str = "buy", **more: Any) -> str:
    made = client.good("AddOrder", **PAIR, type=side, ordertype="market", volume=volume, leverage=leverage, **more)
    assert made["descr"]["order"].endswith("with %s:1 leverage" % leverage)
    return str(made["txid"][0])


def test_a_leveraged_order_opens_a_position_and_leaves_the_balance_alone(shared: Sandbox) -> None:
    client = _account(shared, "margin1")
    order = _enter(client)
    balance = client.good("Balance")
    assert "XXBT" not in balance, "what is borrowed is no balance"
    (txid, row), *rest = client.good("OpenPositions", docalcs="true").items()
    assert not rest
    assert (row["ordertxid"], row["pair"], row["type"], row["vol"], row["vol_closed"]) == (
        order,
        "XBTUSDT",
        "buy",
        "0.10000000",
        "0.00000000",
    )
    assert abs(D(row["margin"]) * 5 - D(row["cost"])) <= D("0.00005")
    assert row["net"][0] in "+-"
    told = client.good("TradeBalance", asset="USDT")
    assert D(told["m"]) == D(row["margin"]).quantize(D("0.0001"))
    assert abs(D(told["ml"]) - D(told["e"]) / D(told["m"]) * 100) < D("0.01")
    assert abs(D(told["mf"]) - (D(told["e"]) - D(told["m"]))) <= D("0.0001")
    trades = client.good("TradesHistory")["trades"]
    assert {(trade["leverage"], trade["misc"]) for trade in trades.values()} == {("5", "initiated")}
    assert txid in trades, "a position has the name of the trade that opened it"
    assert client.good("QueryOrders", txid=order)[order]["descr"]["leverage"] == "5:1"
    assert client.good("OpenPositions", txid=txid).keys() == {txid}
    (merged,) = client.good("OpenPositions", consolidation="market", docalcs="true")
    assert (merged["positions"], merged["leverage"], merged["vol"]) == ("1", "5.00000", "0.10000000")
    assert shared.state("margin1")["positions"]["BTC/USDT margin"]["side"] == "long"
    assert not shared.failed("margin1")
    assert not shared.unjudged("margin1")


def test_an_opposite_order_closes_it_and_books_profit_and_fees(shared: Sandbox) -> None:
    client = _account(shared, "margin2")
    _enter(client, side="sell")
    assert [row["type"] for row in client.good("OpenPositions").values()] == ["sell"]
    _enter(client, leverage="2", reduce_only="true")
    assert client.good("OpenPositions") == {}
    assert "ml" not in client.good("TradeBalance"), "no margin, no level"
    rows = [row for row in client.good("Ledgers")["ledger"].values() if row["type"] == "margin"]
    assert len(rows) >= 2
    spent = sum((D(row["amount"]) - D(row["fee"]) for row in rows), D(0))
    assert D(client.good("Balance")["USDT"]) == D(10_000) + spent


def test_what_cannot_be_is_refused_in_the_venues_words(shared: Sandbox) -> None:
    client = _account(shared, "margin3", "1000")
    order = {**PAIR, "type": "buy", "ordertype": "market", "volume": "0.1"}
    assert client.call("AddOrder", **order, leverage="5")["error"] == ["EOrder:Margin level too low"]
    assert client.call("AddOrder", **order, leverage="7")["error"] == ["EGeneral:Invalid arguments:leverage"]
    assert client.call("AddOrder", **{**order, "pair": "SHIBUSDT"}, leverage="2")["error"] == ["EGeneral:Invalid arguments:leverage"]
    answer = client.call("AddOrder", **{**order, "type": "sell"}, leverage="2", reduce_only="true")
    assert answer["error"] == ["EOrder:Reduce only:No position exists"]
    pairs = json.loads(http("GET", shared.venue + "/0/public/AssetPairs?pair=XBTUSDT,SHIBUSDT")[2])["result"]
    assert (pairs["XBTUSDT"]["leverage_buy"], pairs["SHIBUSDT"]["leverage_buy"]) == ([2, 3, 4, 5], [])


def test_a_stop_on_margin_protects_the_position_and_ends_with_it(shared: Sandbox) -> None:
    client = _account(shared, "margin4", profile={"mode": "live", "stop_within_s": 600})
    _enter(client, "0.02")
    low = "%.1f" % (float(client.look("XBTUSDT")["c"][0]) * 0.8)
    stop = client.good("AddOrder", **PAIR, type="sell", ordertype="stop-loss", price=low, volume="0.02", leverage="5", reduce_only="true")[
        "txid"
    ][0]
    assert shared.state("margin4")["positions"]["BTC/USDT margin"]["without_stop"] == "0"
    _enter(client, "0.02", side="sell", reduce_only="true")
    shared.ask("POST", "markets/XBTUSDT/price", {"price": "%.1f" % (float(low) * 0.95)}, 200)
    eventually(lambda: client.good("QueryOrders", txid=stop)[stop]["status"] == "expired", "the stop ends: there is nothing to reduce")
    shared.ask("POST", "markets/XBTUSDT/price", {"price": "86000"}, 200)


def test_settle_position_takes_the_coins_over(shared: Sandbox) -> None:
    client = _account(shared, "margin5")
    _enter(client, "0.05", "2")
    client.good("AddOrder", **PAIR, type="sell", ordertype="settle-position", volume="0", leverage="2")
    assert client.good("OpenPositions") == {}
    assert D(client.good("Balance")["XXBT"]) == D("0.05")
    assert {row["type"] for row in client.good("Ledgers")["ledger"].values()} >= {"margin", "settled"}


def test_call_and_liquidation_at_the_venues_levels(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(market={"deviation": 0.000001})
    client = _account(sandbox, "bot", "2000")
    _enter(client, "0.1")
    entry = float(next(iter(client.good("OpenPositions").values()))["cost"]) / 0.1
    # margin 1,720 of equity about 1,960: called when 0.1 coins have lost about 590, closed when they have lost about 1,280
    sandbox.ask("POST", "markets/XBTUSDT/price", {"price": "%.1f" % (entry - 8_000)}, 200)
    eventually(lambda: sandbox.state().get("margin", {}).get("called"), "the account is called")
    assert client.good("OpenPositions") != {}
    assert 40 < D(client.good("TradeBalance")["ml"]) < 80
    sandbox.ask("POST", "markets/XBTUSDT/price", {"price": "%.1f" % (entry - 14_000)}, 200)
    eventually(lambda: client.good("OpenPositions") == {}, "the position is closed by the venue")
    closed = client.good("ClosedOrders")["closed"].values()
    assert [row["misc"] for row in closed if row["descr"]["type"] == "sell"] == ["liquidated"]


def test_positions_survive_kill_9(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox()
    client = _account(sandbox, "bot")
    _enter(client, "0.03")
    _enter(client, "0.02", "2")
    _enter(client, "0.04", side="sell", reduce_only="true")
    before, funds = client.good("OpenPositions"), client.good("Balance")
    sandbox.stop(signal.SIGKILL)
    sandbox.start()
    assert client.good("OpenPositions") == before
    assert client.good("Balance") == funds
    assert [(row["vol"], row["vol_closed"]) for row in before.values()] == [("0.02000000", "0.01000000")]


def test_ccxt_reads_positions_and_orders_on_margin(shared: Sandbox) -> None:
    shared.account("margin6", balances={"USDT": "10000"})
    made = shared.ask("POST", "keys", {"account": "margin6", "rights": ["query-funds", "query-open-trades", "modify-trades"]}, 201)
    bot = ccxt.kraken({"apiKey": made["key"], "secret": made["secret"], "urls": {"api": {"public": shared.venue, "private": shared.venue}}})
    order = bot.create_order("BTC/USDT", "market", "sell", 0.05, None, {"leverage": 3})
    assert order["id"]
    (position,) = bot.fetch_positions()
    assert (position["symbol"], position["side"], position["leverage"], position["initialMargin"] > 0) == ("BTC/USDT", "short", 3.0, True)
    bot.create_order("BTC/USDT", "market", "buy", 0.05, None, {"leverage": 3, "reduceOnly": True})
    assert bot.fetch_positions() == []
