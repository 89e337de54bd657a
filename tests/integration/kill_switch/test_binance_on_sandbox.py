"""The kill on Binance spot and USD-M futures against the rehearsal exchange: algo orders, hedge mode, lot limits, order lists."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox
from tests.integration.kill_switch.binance_scene import FuturesScene, SpotScene, binance  # noqa: F401 (fixture)
from tests.integration.kill_switch.scene import record


@pytest.fixture
def spot(binance: Sandbox, tmp_path: Path) -> SpotScene:  # noqa: F811
    return SpotScene(binance, tmp_path / "spot")


@pytest.fixture
def futures(binance: Sandbox, tmp_path: Path) -> FuturesScene:  # noqa: F811
    return FuturesScene(binance, tmp_path / "futures")


# -- spot -------------------------------------------------------------------------------------------------------------------
def test_spot_entries_go_and_the_stop_stays(spot: SpotScene) -> None:
    spot.position(stop=True)
    spot.entries()
    done = spot.pull()
    assert record(done)["state"] == "held with stops", done.stdout + done.stderr
    assert [one["type"] for one in spot.open_orders()] == ["STOP_LOSS"]


def test_spot_is_sold_and_the_owners_coins_and_orders_stay(spot: SpotScene) -> None:
    spot.flatten(account="shared")
    owners = spot.owners()
    spot.position(stop=True)
    spot.entries()
    done = spot.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert {one["orderId"] for one in spot.open_orders()} == owners["orders"]
    assert owners["coins"] <= spot.balance() < owners["coins"] + 0.01     # less than a lot of the bot's is left, and nothing of the owner's


def test_spot_an_order_list_is_one_order(spot: SpotScene) -> None:
    spot.settings["policy"] = "hold"
    spot.position(stop=False)
    spot.bot.good("POST", "/api/v3/orderList/oco", symbol="SOLUSDT", side="SELL", quantity="1.998", aboveType="LIMIT_MAKER",
                  abovePrice=spot.price(1.2), belowType="STOP_LOSS", belowStopPrice=spot.price(0.9))
    done = spot.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    assert len(spot.open_orders()) == 2
    spot.flatten()
    done = spot.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert spot.open_orders() == []
    assert spot.balance() < 0.01


def test_spot_two_assets_are_sold_one_after_the_other(spot: SpotScene) -> None:
    spot.flatten()
    spot.position(stop=True)
    spot.position(stop=True, volume="50.1", symbol="XRPUSDT")
    done = spot.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert spot.balance() < 0.01
    assert spot.balance("XRP") < 3


# -- futures ----------------------------------------------------------------------------------------------------------------
def test_futures_entries_of_both_services_go_and_the_stop_stays(futures: FuturesScene) -> None:
    futures.order("SOLUSDT", "BUY", "3")
    futures.algo("SOLUSDT", "SELL", 0.9, quantity="3", reduceOnly="true")
    futures.algo("XRPUSDT", "BUY", 1.1, quantity="20")             # a conditional entry
    futures.entries(12)
    done = futures.pull()
    assert record(done)["state"] == "held with stops", done.stdout + done.stderr
    assert futures.open_orders() == []
    assert [one["side"] for one in futures.open_algos()] == ["SELL"]


def test_futures_are_flattened_in_both_directions_and_stops_left_behind_go(futures: FuturesScene) -> None:
    futures.flatten()
    futures.order("SOLUSDT", "BUY", "3")
    futures.order("XRPUSDT", "SELL", "100")
    futures.algo("SOLUSDT", "SELL", 0.9, closePosition="true")
    futures.algo("XRPUSDT", "BUY", 1.1, quantity="100", reduceOnly="true")
    futures.entries()
    done = futures.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert futures.positions() == {}
    assert futures.open_orders() == futures.open_algos() == []
    assert float(record(done)["cost"]["fees"]) > 0


def test_futures_in_hedge_mode_both_legs_are_closed_without_reduce_only(futures: FuturesScene) -> None:
    futures.hedge()
    futures.flatten()
    futures.order("SOLUSDT", "BUY", "3", positionSide="LONG")
    futures.order("SOLUSDT", "SELL", "2", positionSide="SHORT")
    futures.algo("SOLUSDT", "SELL", 0.9, quantity="3", positionSide="LONG")
    futures.entries(2, positionSide="LONG")
    done = futures.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert futures.positions() == {}
    assert futures.open_algos() == []


def test_futures_a_missing_stop_is_placed_where_the_profile_says_so(futures: FuturesScene) -> None:
    futures.settings["place_stops"] = {"distance_pct": 5}
    futures.order("SOLUSDT", "SELL", "3")
    done = futures.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    (only,) = futures.open_algos()
    assert (only["side"], only["reduceOnly"], float(only["quantity"])) == ("BUY", True, 3)


def test_futures_without_one_it_ends_naked(futures: FuturesScene) -> None:
    futures.order("SOLUSDT", "SELL", "3")
    done = futures.pull()
    assert done.returncode == 3
    assert "NAKED: no stop covers 3" in done.stdout


def test_futures_a_stop_that_could_turn_the_position_round_is_replaced(futures: FuturesScene) -> None:
    futures.settings["place_stops"] = {"distance_pct": 5}
    futures.order("SOLUSDT", "BUY", "3")
    futures.algo("SOLUSDT", "SELL", 0.9, quantity="5")
    done = futures.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    (only,) = futures.open_algos()
    assert (only["reduceOnly"], float(only["quantity"])) == (True, 3)


def test_futures_the_market_lot_limit_makes_slices(futures: FuturesScene) -> None:
    futures.sandbox.ask("PATCH", "accounts/" + futures.account, {"deposit": {"um:USDT": "3000000"}}, 200)
    futures.flatten()
    futures.settings["flatten"] = {"loss_cap_quote": 1000000, "price_guard_pct": 9}
    for _ in range(2):
        futures.order("SOLUSDT", "BUY", "3000")
    done = futures.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert futures.positions() == {}


@pytest.mark.parametrize("kind", ["spot", "futures"])
def test_the_judge_finds_nothing_wrong(kind: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(kind)
    scene.flatten()
    scene.entries(3)
    if kind == "spot":
        scene.position(stop=True)
    else:
        scene.order("SOLUSDT", "BUY", "3")
        scene.algo("SOLUSDT", "SELL", 0.9, quantity="3", reduceOnly="true")
    assert record(scene.pull())["state"] == "flat"
    assert scene.sandbox.failed(scene.account) == set()


def test_a_clock_that_is_wrong_is_set_by_the_venues(spot: SpotScene, futures: FuturesScene) -> None:
    """The last one: it moves the clock of the exchange that all tests of this file share."""
    for scene in (spot, futures):
        scene.entries(1)
    spot.sandbox.ask("POST", "clock", {"step": 30}, 200)
    for scene in (spot, futures):
        done = scene.pull()
        assert record(done)["state"] == "flat", done.stdout
        assert record(done)["cancelled"] == 1, done.stdout
