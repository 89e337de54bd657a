"""Futures over the wire: stops that trigger, OCO, funding, liquidation, hedge mode, dead man's timer, what survives kill -9."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from .binance_client import BinanceClient, open_account
from .conftest import Sandbox, eventually, start_in


def _move(client: BinanceClient, pct: float, pair: str = "binance_usdm:BTCUSDT") -> None:
    client.sandbox.ask("POST", "markets/%s/price" % pair, {"pct": pct}, 200)


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose prices stand still unless a test moves them."""
    sandbox = start_in(
        tmp_path_factory.mktemp("steady"),
        venues=["binance", "binance_usdm"],
        pairs=["binance:BTCUSDT", "binance_usdm:BTCUSDT", "binance_usdm:ETHUSDT"],
        market={"deviation": 1e-9, "flow": 0.01, "history_min": 60},
    )
    yield sandbox
    sandbox.stop(signal.SIGKILL)


@pytest.fixture
def client(steady: Sandbox, request: pytest.FixtureRequest) -> BinanceClient:
    for pair in ("binance:BTCUSDT", "binance_usdm:BTCUSDT"):
        steady.ask("POST", "markets/%s/price" % pair, {"price": "86000"}, 200)
    return open_account(steady, request.node.name[5:60].split("[")[0], futures=getattr(request, "param", "5000"))


def _position(client: BinanceClient) -> dict[str, Any]:
    rows = client.good("GET", "/fapi/v3/positionRisk", symbol="BTCUSDT")
    return dict(rows[0]) if rows else {"positionAmt": "0"}


def test_a_stop_that_closes_the_position_triggers_and_becomes_an_order(client: BinanceClient) -> None:
    client.future(quantity="0.020")
    last = client.look(futures=True)
    stop = client.good(
        "POST",
        "/fapi/v1/algoOrder",
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="STOP_MARKET",
        triggerPrice="%.1f" % (last * 0.95),
        closePosition="true",
        workingType="MARK_PRICE",
    )
    assert client.code("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=stop["algoId"]) == -2013
    _move(client, -6)
    assert Decimal(_position(client)["positionAmt"]) == 0
    after = client.good("GET", "/fapi/v1/algoOrder", algoId=stop["algoId"])
    assert (after["algoStatus"], after["actualOrderId"]) == ("FINISHED", str(stop["algoId"]))
    order = client.good("GET", "/fapi/v1/order", symbol="BTCUSDT", orderId=int(after["actualOrderId"]))
    assert (order["status"], order["executedQty"], order["origType"]) == ("FILLED", "0.020", "STOP_MARKET")
    assert client.good("GET", "/fapi/v1/openAlgoOrders") == []


def test_a_conditional_order_on_the_old_endpoint_is_refused_in_the_venues_words(client: BinanceClient) -> None:
    client.look(futures=True)
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "50000", "quantity": "0.01"}
    assert client.code("POST", "/fapi/v1/order", **order) == -4120


def test_oco_fills_one_leg_and_ends_the_other(client: BinanceClient) -> None:
    client.spot(quantity="0.01")
    last = client.look()
    params = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.009",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "%.2f" % (last * 1.05),
        "belowType": "STOP_LOSS_LIMIT",
        "belowStopPrice": "%.2f" % (last * 0.95),
        "belowPrice": "%.2f" % (last * 0.94),
        "belowTimeInForce": "GTC",
    }
    listed = client.good("POST", "/api/v3/orderList/oco", **params)
    locked = {row["asset"]: row["locked"] for row in client.good("GET", "/api/v3/account")["balances"]}
    assert (listed["listOrderStatus"], locked["BTC"]) == ("EXECUTING", "0.00900000")
    _move(client, 6, "binance:BTCUSDT")
    found = {row["type"]: row["status"] for row in client.good("GET", "/api/v3/allOrders", symbol="BTCUSDT") if row["orderListId"] > 0}
    assert found == {"LIMIT_MAKER": "FILLED", "STOP_LOSS_LIMIT": "EXPIRED"}
    again = client.good("GET", "/api/v3/orderList", orderListId=listed["orderListId"])
    assert again["listOrderStatus"] == "ALL_DONE"
    locked = {row["asset"]: row["locked"] for row in client.good("GET", "/api/v3/account")["balances"]}
    assert locked["BTC"] == "0.00000000"


def test_the_other_leg_of_an_oco_triggers_and_ends_the_first(client: BinanceClient) -> None:
    client.spot(quantity="0.01")
    last = client.look()
    old = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.009", "price": "%.2f" % (last * 1.05), "stopPrice": "%.2f" % (last * 0.95)}
    client.good("POST", "/api/v3/order/oco", **old)
    _move(client, -6, "binance:BTCUSDT")
    found = {row["type"]: row["status"] for row in client.good("GET", "/api/v3/allOrders", symbol="BTCUSDT") if row["orderListId"] > 0}
    assert found == {"LIMIT_MAKER": "EXPIRED", "STOP_LOSS": "FILLED"}


@pytest.mark.parametrize("client", ["100"], indirect=True)
def test_a_position_without_margin_is_liquidated_and_costs_no_more_than_the_wallet(client: BinanceClient) -> None:
    client.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=50)
    client.future(quantity="0.040")
    entry = _position(client)
    assert 0 < float(entry["liquidationPrice"]) < float(entry["entryPrice"])
    _move(client, -2.5)
    assert Decimal(_position(client)["positionAmt"]) == 0
    balance = Decimal(client.good("GET", "/fapi/v3/balance")[0]["balance"])
    assert 0 <= balance < 50
    forced = client.good("GET", "/fapi/v1/forceOrders")
    assert forced[0]["clientOrderId"].startswith("autoclose-")


@pytest.mark.parametrize("client", ["100"], indirect=True)
def test_a_gap_through_the_whole_margin_is_paid_by_the_insurance_not_by_a_negative_wallet(client: BinanceClient) -> None:
    client.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=50)
    client.future(quantity="0.040")
    _move(client, -20)
    assert Decimal(client.good("GET", "/fapi/v3/balance")[0]["balance"]) == 0
    assert Decimal(_position(client)["positionAmt"]) == 0


@pytest.mark.parametrize("client", ["1000"], indirect=True)
def test_an_isolated_position_risks_only_its_own_margin(client: BinanceClient) -> None:
    client.good("POST", "/fapi/v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    client.future(quantity="0.010")
    margin = Decimal(_position(client)["isolatedWallet"])
    _move(client, -20)
    assert Decimal(_position(client)["positionAmt"]) == 0
    lost = 1000 - Decimal(client.good("GET", "/fapi/v3/balance")[0]["balance"])
    assert margin <= lost < margin + 15


def test_funding_is_charged_every_eight_hours(client: BinanceClient) -> None:
    client.future(quantity="0.100")
    client.sandbox.ask("POST", "clock", {"step": 8 * 3600}, 200)
    rows = eventually(lambda: client.good("GET", "/fapi/v1/income", incomeType="FUNDING_FEE"), "funding is charged")
    assert len(rows) == 1
    assert rows[0]["symbol"] == "BTCUSDT"
    assert -5 < float(rows[0]["income"]) < 0


def test_hedge_mode_holds_long_and_short_apart(client: BinanceClient) -> None:
    client.good("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true")
    assert client.code("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.01") == -4061
    client.future(positionSide="LONG", quantity="0.020")
    client.future(side="SELL", positionSide="SHORT", quantity="0.030")
    sides = {row["positionSide"]: row["positionAmt"] for row in client.good("GET", "/fapi/v3/positionRisk")}
    assert sides == {"LONG": "0.020", "SHORT": "-0.030"}
    assert client.code("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == -4068
    client.future(side="SELL", positionSide="LONG", quantity="0.050")
    assert {row["positionSide"] for row in client.good("GET", "/fapi/v3/positionRisk")} == {"SHORT"}


def test_reduce_only_never_opens_a_position(client: BinanceClient) -> None:
    order = {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.010", "reduceOnly": "true"}
    assert client.code("POST", "/fapi/v1/order", **order) == -2022
    client.future(quantity="0.010")
    client.future(side="SELL", quantity="0.030", reduceOnly="true")
    assert Decimal(_position(client)["positionAmt"]) == 0


def test_the_countdown_cancels_the_orders_of_its_symbol_only(client: BinanceClient) -> None:
    for symbol, price in (("BTCUSDT", "80000"), ("ETHUSDT", "2600")):
        client.good("POST", "/fapi/v1/order", symbol=symbol, side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.02", price=price)
    client.good("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=120_000)
    client.sandbox.ask("POST", "clock", {"step": 60}, 200)
    assert len(client.good("GET", "/fapi/v1/openOrders")) == 2
    client.sandbox.ask("POST", "clock", {"step": 61}, 200)
    eventually(lambda: [row["symbol"] for row in client.good("GET", "/fapi/v1/openOrders")] == ["ETHUSDT"], "the timer fires")


def test_positions_orders_and_modes_survive_kill_9(client: BinanceClient) -> None:
    sandbox = client.sandbox
    client.good("POST", "/fapi/v1/leverage", symbol="BTCUSDT", leverage=7)
    client.good("POST", "/fapi/v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    client.future(quantity="0.033")
    client.good("POST", "/fapi/v1/order", symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTX", quantity="0.02", price="80000")
    client.good(
        "POST",
        "/fapi/v1/algoOrder",
        algoType="CONDITIONAL",
        symbol="BTCUSDT",
        side="SELL",
        type="TRAILING_STOP_MARKET",
        quantity="0.033",
        callbackRate="5",
    )
    client.spot(quantity="0.01")
    client.good("POST", "/fapi/v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=3_600_000)

    def picture() -> dict[str, Any]:
        state = sandbox.state(client.account)
        # A trailing stop follows the market between two journal entries; after a crash it follows on from the last one.
        for row in state["orders"]["open"]:
            row["stop_price"] = None if row["trail_rate"] else row["stop_price"]
        rows = {name: state[name] for name in ("balances", "held", "orders", "fills", "countdowns")}
        return {
            **rows,
            "positions": {name: (row["qty"], row.get("entry"), row.get("leverage")) for name, row in state["positions"].items()},
        }

    before = picture()
    sandbox.stop(signal.SIGKILL)
    sandbox.start()
    assert picture() == before
    assert client.good("GET", "/fapi/v1/symbolConfig", symbol="ETHUSDT")[0]["marginType"] == "ISOLATED"
    client.future(side="SELL", quantity="0.033", reduceOnly="true")
