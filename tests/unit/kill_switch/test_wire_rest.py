"""The other requests of the kill switch, the guard and the dead man's timer against what ccxt sends for the same call."""
from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from golive.guard import decide
from golive.guard.kraken_account import KrakenWatch
from golive.guard.kraken_rows import pairs_of as guard_pairs
from golive.kill_switch import dead_man
from golive.kill_switch import kill_switch as switch

from tests.unit.kill_switch.test_wire import (
    FUTURES_INFO,
    KRAKEN_PAIR,
    SECRET,
    SPOT_INFO,
    SPOT_SOL,
    Ours,
    Theirs,
    binance,
    futures,
    kraken,
    kraken_ccxt,
    order,
    same,
    spot,
    without,
)

CLOSED = {"closed": {}, "count": 0}
QUERIED = {"O1": {"status": "canceled", "vol": "3", "vol_exec": "1"}}


def envelope(result: Any) -> dict[str, Any]:
    return {"error": [], "result": result}


@pytest.mark.parametrize(("answer", "act", "they"), [
    ({"SOL": "3"}, lambda account: account._spot(), lambda exchange: exchange.privatePostBalance()),
    (CLOSED, lambda account: account._read_closed(), lambda exchange: exchange.fetch_closed_orders(None, -1000, None, {"ofs": 0})),
    ({}, lambda account: account._margins(), lambda exchange: exchange.privatePostOpenPositions()),
    ({"unixtime": 1}, lambda account: account.now(), lambda exchange: exchange.fetch_time()),
    ({"SOLUSDT": {"c": ["130", "1"]}}, lambda account: account._prices(["SOLUSDT"]),
     lambda exchange: exchange.publicGetTicker({"pair": "SOLUSDT"})),
    ({"SOLUSDT": KRAKEN_PAIR}, lambda account: (account._asked.clear(), account._learn_pairs()),
     lambda exchange: exchange.publicGetAssetPairs({"pair": "SOLUSDT"})),
    ({}, lambda account: account.rehearse(SPOT_SOL, Decimal(3), Decimal("130.5")),
     lambda exchange: exchange.create_order("SOL/USDT", "limit", "sell", 3, 130.5, {"timeInForce": "IOC", "validate": "true",
                                                                                              "clientOrderId": "x"}))])
def test_kraken_asks_as_ccxt_asks(answer: Any, act: Any, they: Any) -> None:
    account, heard = kraken([answer])
    account._ahead = None if "unixtime" in answer else 0.0
    account._closed_to = 0.0
    act(account)
    exchange = kraken_ccxt()
    theirs = Theirs(exchange, [envelope({"txid": ["O1"], "descr": {"order": "sell 3 SOLUSDT @ limit 130.5"}, "unixtime": 1, **answer})])
    they(exchange)
    ours, other = heard.sent[0], theirs.sent[-1]
    assert (ours[0], ours[1]) == (other[0], other[1])
    # ccxt asks for the trades with each closed order, and names an order that is only validated; the switch needs neither
    drop = ("nonce", "trades", "cl_ord_id")
    assert without(ours[2], *drop) == without(other[2], *drop)


def test_a_claimed_stop_is_cancelled_and_asked_about_as_ccxt_does() -> None:
    account, heard = kraken([{"count": 1}, QUERIED])
    assert account.claim(order("O1", market="spot")) == 2
    exchange = kraken_ccxt()
    for sent, they in zip(heard.sent, (lambda: exchange.cancel_order("O1"), lambda: exchange.privatePostQueryOrders({"txid": "O1"})),
                          strict=True):
        theirs = Theirs(exchange, [envelope({"count": 1, **QUERIED})])
        they()
        same(Sent(sent), theirs)


class Sent:
    """One request of ours, for `same`."""

    def __init__(self, one: Any) -> None:
        self.sent = [one]


def test_kraken_is_signed_as_ccxt_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    account, heard = kraken([{}])
    monkeypatch.setattr("golive.kill_switch.parts.kraken_calls.time.time_ns", lambda: 1_700_000_000_123_456_000)
    account._asks.private("Balance")
    exchange = kraken_ccxt()
    exchange.nonce = lambda: 1_700_000_000_123_456
    theirs = Theirs(exchange, [envelope({})])
    exchange.privatePostBalance()
    assert heard.sent[0][3]["API-Sign"] == theirs.sent[0][3]["API-Sign"]


@pytest.mark.parametrize(("call", "fields", "they"), [
    ("Balance", {}, lambda exchange: exchange.privatePostBalance()),
    ("BalanceEx", {}, lambda exchange: exchange.privatePostBalanceEx()),
    ("TradeBalance", {}, lambda exchange: exchange.privatePostTradeBalance()),
    ("OpenPositions", {"docalcs": "true"}, lambda exchange: exchange.privatePostOpenPositions({"docalcs": "true"})),
    ("OpenOrders", {}, lambda exchange: exchange.fetch_open_orders()),
    ("QueryOrders", {"txid": "O1"}, lambda exchange: exchange.privatePostQueryOrders({"txid": "O1"})),
    ("ClosedOrders", {"ofs": 50}, lambda exchange: exchange.fetch_closed_orders(None, None, None, {"ofs": 50})),
    ("CancelOrder", {"txid": "O1"}, lambda exchange: exchange.cancel_order("O1"))])
def test_the_guard_asks_kraken_as_ccxt_asks(call: str, fields: dict[str, Any], they: Any) -> None:
    venue = switch.Kraken("http://127.0.0.1:1", None, "k", base64.b64decode(SECRET))
    heard = Ours([envelope({"open": {}, "closed": {}, "count": 1})])
    venue._line = heard     # type: ignore[assignment]
    watch = KrakenWatch(venue, ["SOLUSDT"], decide.Budget(20, 0.5), 12.0, "gl")
    watch.pairs = guard_pairs({"SOLUSDT": KRAKEN_PAIR}, ["SOLUSDT"])
    watch._private(call, **fields)
    exchange = kraken_ccxt()
    theirs = Theirs(exchange, [envelope({"open": {}, "closed": {}, "count": 1})])
    they(exchange)
    same(heard, theirs, "trades")


def test_binance_spot_reads_as_ccxt_reads() -> None:
    exchange = binance("binance")
    symbols = json.dumps(["SOLUSDT"], separators=(",", ":"))
    rows: list[tuple[list[Any], Any, Any, Any]] = [
        ([{"balances": []}], lambda account: account._positions(), lambda: exchange.fetch_balance({"omitZeroBalances": "true"}),
         {"balances": []}),
        ([[]], lambda account: account._own_lists([{"orderListId": 1}]), exchange.privateGetOpenOrderList, []),
        ([[{"symbol": "SOLUSDT", "price": "1"}]], lambda account: account._prices(["SOLUSDT"]),
         lambda: exchange.publicGetTickerPrice({"symbols": symbols}), []),
        ([{}], lambda account: account.cancel([order("5", "list", "spot")]),
         lambda: exchange.privateDeleteOrderList({"symbol": "SOLUSDT", "orderListId": "5"}), {}),
        ([{}], lambda account: account.rehearse(SPOT_SOL, Decimal(3), Decimal("130.5")),
         lambda: exchange.create_order("SOL/USDT", "limit", "sell", 3, 130.5, {"timeInForce": "IOC", "test": True}), {}),
    ]
    for answers, act, they, answer in rows:
        account, heard = spot(answers)
        account._info["SOLUSDT"] = SPOT_INFO
        act(account)
        theirs = Theirs(exchange, [answer])
        they()
        (method, path, params, _), (their_method, their_path, their_params, _) = heard.sent[0], theirs.sent[-1]
        drop = ("timestamp", "signature", "recvWindow", "newClientOrderId", "newOrderRespType")
        assert (method, path, without(params, *drop)) == (their_method, their_path, without(their_params, *drop))


def test_binance_spot_reads_what_the_bot_bought_as_ccxt_reads() -> None:
    account, heard = spot([[], []])
    account._since, account._ahead = __import__("time").time() - 3600, 0.0
    account._net_fills()
    exchange = binance("binance")
    for sent, they in zip(heard.sent, (exchange.fetch_orders, exchange.fetch_my_trades), strict=True):
        theirs = Theirs(exchange, [[]])
        they("SOL/USDT", int(sent[2]["startTime"]), int(sent[2]["limit"]), {"endTime": sent[2]["endTime"]})
        same(Sent(sent), theirs)


def test_binance_futures_asks_for_fees_as_ccxt_does_and_sets_the_countdown_as_the_venue_documents() -> None:
    exchange = binance("binanceusdm")
    account, heard = futures([[]])
    account._fee("SOLUSDT", 7)
    theirs = Theirs(exchange, [[]])
    exchange.fetch_my_trades("SOL/USDT:USDT", None, None, {"orderId": "7"})
    same(heard, theirs)
    (asked,) = dead_man.request("binance_usdm", 30, ["SOLUSDT"])
    theirs = Theirs(exchange, [{}])
    exchange.fapiPrivatePostCountdownCancelAll({name: value for name, value in asked.items() if name != "call"})
    assert theirs.sent[0][1].endswith(asked["call"])
    assert FUTURES_INFO["symbol"] == asked["symbol"]


def test_krakens_timer_is_set_as_ccxt_sets_it() -> None:
    exchange = kraken_ccxt()
    theirs = Theirs(exchange, [envelope({})])
    exchange.cancel_all_orders_after(60_000)
    (asked,) = dead_man.request("kraken", 60, [])
    assert theirs.sent[0][1].endswith(asked["call"])
    assert without(theirs.sent[0][2], "nonce") == {"timeout": str(asked["timeout"])}
