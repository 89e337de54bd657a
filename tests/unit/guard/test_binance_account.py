"""What the guard makes of Binance's answers, and that what it asks is what ccxt would ask (ccxt as oracle; nothing is sent)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from golive.guard import decide
from golive.guard.binance_account import WEIGHT, FuturesWatch, SpotWatch
from golive.guard.reading import Odd
from golive.kill_switch.kill_switch import Binance, Silent

from tests.unit.kill_switch.test_wire import FUTURES_INFO, SECRET, SPOT_INFO, Ours, Theirs, binance, same, without

OWN = {"symbol": "SOLUSDT", "side": "SELL", "origQty": "2", "executedQty": "0", "cummulativeQuoteQty": "0", "stopPrice": "0",
       "type": "LIMIT_MAKER", "status": "NEW", "time": 1, "updateTime": 1, "orderListId": -1, "clientOrderId": "gl1",
       "orderId": 7}  # fmt: skip


def watch(kind: Any, answers: list[Any]) -> tuple[Any, Ours]:
    calls, heard = Binance("http://127.0.0.1:1", None, "k", SECRET.encode()), Ours(answers)
    calls._line, calls._ahead = heard, 0.0  # type: ignore[assignment]
    return kind(calls, ["SOLUSDT"], decide.Budget(6000, 100), 12.0, "gl"), heard


def spot(*answers: Any) -> tuple[Any, Ours]:
    found, heard = watch(SpotWatch, list(answers))
    found._info = {"SOLUSDT": SPOT_INFO}
    return found, heard


def test_a_leg_of_a_list_without_an_id_of_its_own_is_whose_the_list_is_and_that_is_asked_once() -> None:
    leg = {**OWN, "clientOrderId": "x", "orderListId": 5}
    account, heard = spot([leg, {**leg, "orderId": 8}], {"orderListId": 5, "listClientOrderId": "gl-list"})
    assert {one.client_id for one in account._orders(account._ask("/api/v3/openOrders")).values()} == {"gl-list"}
    assert [sent[1] for sent in heard.sent] == ["/api/v3/openOrders", "/api/v3/orderList"]
    account, _ = spot([leg], {"orderListId": 5, "listClientOrderId": "by-hand"})
    assert account._orders(account._ask("/api/v3/openOrders"))["7"].client_id == "by-hand"


def test_an_executed_conditional_order_is_the_bots_under_the_venues_own_id() -> None:
    child = {"symbol": "SOLUSDT", "side": "SELL", "origQty": "2", "executedQty": "2", "cumQuote": "260", "status": "FILLED", "orderId": 99,
             "clientOrderId": "venue-made", "positionSide": "BOTH", "type": "MARKET", "origType": "MARKET", "reduceOnly": True,
             "time": 1, "updateTime": 2000}  # fmt: skip
    algo = {"algoId": 5, "clientAlgoId": "gls1", "actualOrderId": "99", "algoStatus": "FINISHED", "symbol": "SOLUSDT", "side": "SELL",
            "quantity": "2", "orderType": "STOP_MARKET", "triggerPrice": "120", "createTime": 1, "updateTime": 2000}  # fmt: skip
    account, _ = watch(FuturesWatch, [[algo], [child]])
    found = account._closed_of("SOLUSDT", 0)
    assert {name: one.client_id for name, one in found.items()} == {"algo-5": "gls1", "99": "gls1"}
    assert not any(one.stop for one in found.values())


@pytest.mark.parametrize("broken", [{}, "no", [{"side": "BUY"}], [{**OWN, "origQty": None}], [{**OWN, "side": "HOLD"}], [3]])
def test_an_answer_of_another_form_is_no_reading(broken: Any) -> None:
    account, _ = spot(broken)
    with pytest.raises((Odd, Silent)):
        account._orders(account._ask("/api/v3/openOrders"))


def test_every_call_that_it_makes_has_a_weight_and_nothing_places_an_order() -> None:
    assert all("POST" not in name for name in WEIGHT)
    assert {"/api/v3/order", "/fapi/v1/batchOrders", "/fapi/v1/algoOrder"} <= set(WEIGHT)     # by DELETE only: `cancel`


def test_the_weights_of_a_loop_fit_the_venues_limits() -> None:
    loop = 4.0
    spot_loop = sum(WEIGHT[path] for path in ("/api/v3/account", "/api/v3/openOrders", "/api/v3/ticker/price"))
    futures = sum(WEIGHT[path] for path in ("/fapi/v3/account", "/fapi/v3/positionRisk", "/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders"))
    assert spot_loop / loop * 60 + 5 * WEIGHT["/api/v3/allOrders"] * 3 < 6000 / 2
    assert futures / loop * 60 + 5 * 3 * (WEIGHT["/fapi/v1/allOrders"] + WEIGHT["/fapi/v1/allAlgoOrders"]) < 2400 * 0.7


def asked(account: Any, act: Any, heard: Ours, their: Theirs, they: Any, *differs: str) -> None:
    heard.sent.clear()
    act(account)
    they()
    same(heard, their, *differs)


def test_what_it_asks_on_spot_is_what_ccxt_asks() -> None:
    exchange = binance("binance")
    rows: list[tuple[str, Any, Any, Any, tuple[str, ...]]] = [
        ("/api/v3/account", lambda one: one._ask("/api/v3/account", omitZeroBalances="true"), {"balances": []},
         lambda: exchange.fetch_balance({"omitZeroBalances": "true", "type": "spot"}), ()),
        ("open", lambda one: one.open_now(), [], exchange.fetch_open_orders, ()),
        ("closed", lambda one: one._closed_of("SOLUSDT", 1), [], lambda: exchange.fetch_orders("SOL/USDT", 1, 1000), ()),
        ("trades", lambda one: one._ask("/api/v3/myTrades", symbol="SOLUSDT", limit=1000), [],
         lambda: exchange.fetch_my_trades("SOL/USDT", None, 1000), ()),
        ("one order", lambda one: one._ask("/api/v3/order", symbol="SOLUSDT", orderId="7"), {},
         lambda: exchange.fetch_order("7", "SOL/USDT"), ()),
        ("cancel", lambda one: one._ask("/api/v3/order", "DELETE", symbol="SOLUSDT", orderId="7"), {},
         lambda: exchange.cancel_order("7", "SOL/USDT"), ()),
        ("wallet", lambda one: one._ask("/sapi/v3/asset/getUserAsset", "POST"), [],
         exchange.sapiV3PostAssetGetUserAsset, ()),
    ]  # fmt: skip
    for name, act, answer, they, differs in rows:
        account, heard = spot(answer)
        theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "orderId": 7, "balances": []} if isinstance(answer, dict) else answer])
        asked(account, act, heard, theirs, they, *differs)
        assert heard.sent, name


def test_what_it_asks_on_futures_is_what_ccxt_asks() -> None:
    exchange = binance("binanceusdm")
    exchange.options["leverageBrackets"] = {"SOL/USDT:USDT": []}
    rows: list[tuple[str, Any, Any, Any]] = [
        ("positions", lambda one: one._ask("/fapi/v3/positionRisk"), [], lambda: exchange.fetch_positions_risk(params={"useV2": False})),
        ("account", lambda one: one._ask("/fapi/v3/account"), {}, exchange.fapiPrivateV3GetAccount),
        ("balance", lambda one: one._ask("/fapi/v3/balance"), [], exchange.fapiPrivateV3GetBalance),
        ("orders", lambda one: one._ask("/fapi/v1/openOrders"), [], exchange.fetch_open_orders),
        ("algo", lambda one: one._ask("/fapi/v1/openAlgoOrders"), [], lambda: exchange.fetch_open_orders(params={"trigger": True})),
        ("closed", lambda one: one._ask("/fapi/v1/allOrders", symbol="SOLUSDT", startTime=1, limit=1000), [],
         lambda: exchange.fetch_orders("SOL/USDT:USDT", 1, 1000)),
        ("closed algo", lambda one: one._ask("/fapi/v1/allAlgoOrders", symbol="SOLUSDT", startTime=1, limit=1000), [],
         lambda: exchange.fetch_orders("SOL/USDT:USDT", 1, 1000, {"trigger": True})),
        ("one", lambda one: one._ask("/fapi/v1/order", symbol="SOLUSDT", orderId="7"), {},
         lambda: exchange.fetch_order("7", "SOL/USDT:USDT")),
    ]  # fmt: skip
    for name, act, answer, they in rows:
        account, heard = watch(FuturesWatch, [answer])
        theirs = Theirs(exchange, [{"symbol": "SOLUSDT", "orderId": 7} if isinstance(answer, dict) else answer])
        asked(account, act, heard, theirs, they)
        assert heard.sent, name


def test_a_batch_of_cancels_goes_by_symbol_and_an_order_that_is_gone_is_what_was_wanted() -> None:
    account, heard = watch(FuturesWatch, [[{"code": -2011, "msg": "Unknown order sent."}, {}]])
    account.rules = {"SOLUSDT": FUTURES_INFO}
    orders = [{"symbol": "SOLUSDT", "side": "BUY", "origQty": "1", "executedQty": "0", "status": "NEW", "orderId": number, "time": 1,
               "clientOrderId": "gl", "type": "LIMIT", "origType": "LIMIT", "reduceOnly": False} for number in (1, 2)]  # fmt: skip
    account.cancel(list(account._read_orders("order", orders).values()))
    method, path, params, _ = heard.sent[0]
    assert (method, path) == ("DELETE", "/fapi/v1/batchOrders")
    assert without(params, "timestamp", "signature", "recvWindow") == {"symbol": "SOLUSDT", "orderIdList": "[1,2]"}


def test_a_venue_that_asks_for_fewer_calls_is_left_alone_as_long_as_it_says() -> None:
    class Busy:
        def ask(self, *_: Any) -> Any:
            return 429, {"retry-after": "7"}, b'{"code": -1003, "msg": "Too many requests."}'

        def drop(self) -> None:
            pass

    account, _ = spot()
    account.venue._line = Busy()
    with pytest.raises(Exception, match="Too many requests"):
        account.open_now()
    assert 6 < account._locked_until - time.monotonic() <= 7
    with pytest.raises(Exception, match="locked the key out"):
        account.open_now()
