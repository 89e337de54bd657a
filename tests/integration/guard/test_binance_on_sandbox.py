"""The guard on Binance, spot and USD-M futures: the same checks by the venue's own word, each with its second endpoint."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, eventually
from tests.integration.guard.test_guard_on_sandbox import Watched
from tests.integration.kill_switch.binance_scene import FuturesScene, SpotScene, binance  # noqa: F401 (fixture)

LIMITS = {"client_id_prefix": "glbot", "loss_day": 400, "loss_total": 400, "exposure": 5000, "calls_max": 90000, "calls_decay": 2000}


def watched(scene: SpotScene | FuturesScene, folder: Path) -> Watched:
    made = Watched(scene.sandbox, folder, scene.settings["credential"])
    made.settings.update(LIMITS, venue=scene.market, url=scene.sandbox.venue, pairs=scene.pairs)
    return made


@pytest.fixture
def spot(binance: Sandbox, tmp_path: Path) -> Iterator[tuple[SpotScene, Watched]]:  # noqa: F811
    scene = SpotScene(binance, tmp_path / "scene")
    guard = watched(scene, tmp_path)
    yield scene, guard
    guard.stop()


class SmallFutures(FuturesScene):
    """An account whose margin can run short."""

    balances = {"um:USDT": "500"}  # noqa: RUF012 (as in its base)


@pytest.fixture(params=["one-way", "hedge"])
def futures(request: pytest.FixtureRequest, binance: Sandbox, tmp_path: Path) -> Iterator[tuple[FuturesScene, Watched, dict[str, str]]]:  # noqa: F811
    scene = SmallFutures(binance, tmp_path / "scene")
    scene.bot.sync()
    leg: dict[str, str] = {}
    if request.param == "hedge":
        scene.hedge()
        leg = {"positionSide": "LONG"}
    guard = watched(scene, tmp_path)
    yield scene, guard, leg
    guard.stop()


def only_reduces(leg: dict[str, str]) -> dict[str, str]:
    return leg or {"reduceOnly": "true"}


def test_a_spot_account_in_order_is_left_alone(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    scene.position(stop=True)
    scene.entries(2)
    guard.start()
    guard.readings(3)
    assert guard.found() == set()
    assert not guard.killed()
    assert len(scene.open_orders()) == 3
    assert scene.sandbox.failed(scene.account) == set()


def test_a_naked_spot_position_is_told_by_balances_and_agreed_to_by_the_wallet(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    guard.start()
    guard.readings(1)
    scene.position(stop=False)
    eventually(guard.killed, "the kill is asked for; log: %s" % guard.log())
    assert "no stop covers 1.99" in guard.log()
    eventually(lambda: guard.told("no_entries"), "entries are ended; log: %s" % guard.log())
    assert scene.sandbox.failed(scene.account) == set()


def test_coins_that_another_order_holds_are_no_naked_position_to_the_wallet(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    scene.position(stop=False)
    scene.bot.good("POST", "/api/v3/order", symbol="SOLUSDT", side="SELL", type="LIMIT", timeInForce="GTC", quantity="1.998",
                   price=scene.price(1.4), **scene.own())
    guard.start()
    eventually(lambda: "is not confirmed: getUserAsset shows otherwise" in guard.log(), "the wallet does not agree")
    assert guard.found() == {"naked_position"}
    assert not guard.killed()


def test_the_legs_of_an_order_list_of_the_bots_are_the_bots_and_those_of_others_are_not(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    scene.position(stop=False, volume="4")
    oco = {"symbol": "SOLUSDT", "side": "SELL", "quantity": "1.9", "aboveType": "LIMIT_MAKER", "abovePrice": scene.price(1.3),
           "belowType": "STOP_LOSS", "belowStopPrice": scene.price(0.96)}
    scene.bot.good("POST", "/api/v3/orderList/oco", **oco, **scene.own("aboveClientOrderId"), **scene.own("belowClientOrderId"))
    guard.settings["actions"].update(naked_position="page")
    guard.start()
    guard.readings(2)
    assert "foreign_order" not in guard.found(), guard.log()
    scene.bot.good("POST", "/api/v3/orderList/oco", **oco, listClientOrderId="by-hand-" + uuid.uuid4().hex[:8])
    eventually(guard.killed, "the foreign list is found; log: %s" % guard.log())
    assert "is not the bot's" in guard.log()


def test_a_foreign_spot_order_that_is_over_between_two_readings_is_found(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    guard.start()
    guard.readings(1)
    made = scene.bot.good("POST", "/api/v3/order", symbol="SOLUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="1",
                          price=scene.price(0.7), newClientOrderId="other")
    scene.bot.good("DELETE", "/api/v3/order", symbol="SOLUSDT", orderId=made["orderId"])
    eventually(lambda: "order %s (buy SOLUSDT) is not the bot's" % made["orderId"] in guard.log(), "it is found; log: %s" % guard.log())
    eventually(guard.killed, "the kill is asked for")


def test_spot_entries_are_cancelled_when_the_bots_host_is_deaf_and_the_stop_stays(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    scene.position(stop=True)
    scene.entries(2)
    guard.settings.update(exposure=1, acknowledge_s=0.5)
    (guard.folder / "bot_host" / "deaf").touch()
    guard.start()
    eventually(lambda: len(scene.open_orders()) == 1, "the entries go; log: %s" % guard.log())
    assert scene.open_orders()[0]["type"] == "STOP_LOSS"


def test_a_loss_on_spot_is_found_and_a_far_stop_is_measured_from_the_entry(spot: tuple[SpotScene, Watched]) -> None:
    scene, guard = spot
    scene.position(stop=True)               # its stop lies 10 % below what was paid
    guard.settings.update(stop_distance_max=0.05, loss_day=2, loss_total=1000)
    guard.start()
    eventually(lambda: "far_stop" in guard.found(), "the far stop is found; log: %s" % guard.log())
    scene.sandbox.ask("POST", "markets/binance:SOLUSDT/price", {"pct": -4.0}, 200)
    eventually(lambda: "drawdown_day" in guard.found(), "the loss is found")
    assert "10." in guard.log() or "9." in guard.log()


def test_a_futures_account_in_order_is_left_alone(futures: tuple[FuturesScene, Watched, dict[str, str]]) -> None:
    scene, guard, leg = futures
    scene.order("SOLUSDT", "BUY", "3", **leg)
    scene.algo("SOLUSDT", "SELL", 0.97, quantity="3", **only_reduces(leg))
    scene.entries(1, **leg)
    guard.settings.update(stop_distance_max=0.05, margin_level_min=120)
    guard.start()
    guard.readings(3)
    assert guard.found() == set()
    assert not guard.killed()
    assert scene.sandbox.failed(scene.account) == set()


def test_a_naked_futures_position_kills_and_one_that_closes_all_covers(futures: tuple[FuturesScene, Watched, dict[str, str]]) -> None:
    scene, guard, leg = futures
    scene.order("SOLUSDT", "BUY", "3", **leg)
    stop = scene.algo("SOLUSDT", "SELL", 0.9, closePosition="true", **leg)
    guard.start()
    guard.readings(2)
    assert guard.found() == set()
    scene.bot.good("DELETE", "/fapi/v1/algoOrder", symbol="SOLUSDT", algoId=stop["algoId"])
    eventually(guard.killed, "the kill is asked for; log: %s" % guard.log())
    assert "no stop covers 3 SOLUSDT" in guard.log()


def test_a_foreign_algo_order_is_found_in_its_own_service(futures: tuple[FuturesScene, Watched, dict[str, str]]) -> None:
    scene, guard, leg = futures
    guard.start()
    guard.readings(1)
    scene.algo("SOLUSDT", "BUY", 1.2, quantity="1", **leg, clientAlgoId="by-hand-" + uuid.uuid4().hex[:8])
    eventually(guard.killed, "the kill is asked for; log: %s" % guard.log())


def test_a_stop_of_the_bots_that_was_triggered_is_not_foreign(futures: tuple[FuturesScene, Watched, dict[str, str]]) -> None:
    scene, guard, leg = futures
    scene.order("SOLUSDT", "BUY", "3", **leg)
    scene.algo("SOLUSDT", "SELL", 0.97, quantity="3", **only_reduces(leg))
    guard.start()
    guard.readings(2)
    scene.sandbox.ask("POST", "markets/binance_usdm:SOLUSDT/price", {"pct": -5.0}, 200)
    eventually(lambda: not scene.positions(), "the stop closes the position")
    guard.readings(6)
    assert "foreign_order" not in guard.found()
    assert not guard.killed()


def test_futures_entries_of_both_services_go_and_what_protects_stays(futures: tuple[FuturesScene, Watched, dict[str, str]]) -> None:
    scene, guard, leg = futures
    scene.order("SOLUSDT", "BUY", "3", **leg)
    stop = scene.algo("SOLUSDT", "SELL", 0.9, quantity="3", **only_reduces(leg))
    scene.algo("SOLUSDT", "BUY", 1.15, quantity="1", **leg)
    scene.entries(2, **leg)
    guard.settings.update(exposure=1, acknowledge_s=0.5)
    (guard.folder / "bot_host" / "deaf").touch()
    guard.start()
    eventually(lambda: not scene.open_orders() and len(scene.open_algos()) == 1, "the entries go; log: %s" % guard.log())
    assert scene.open_algos()[0]["algoId"] == stop["algoId"]


def test_a_margin_that_runs_short_and_a_loss_are_found(futures: tuple[FuturesScene, Watched, dict[str, str]]) -> None:
    scene, guard, leg = futures
    scene.order("SOLUSDT", "BUY", "3", **leg)
    scene.algo("SOLUSDT", "SELL", 0.8, quantity="3", **only_reduces(leg))
    guard.settings.update(margin_level_min=90000, loss_day=5, loss_total=5)
    guard.settings["actions"]["drawdown_day"] = "kill"
    guard.start()
    eventually(lambda: "margin_level" in guard.found(), "the margin is found; log: %s" % guard.log())
    scene.sandbox.ask("POST", "markets/binance_usdm:SOLUSDT/price", {"pct": -4.0}, 200)
    eventually(guard.killed, "two endpoints agree on the loss; log: %s" % guard.log())


def test_a_short_position_without_its_stop_is_found_beside_a_long_one_that_has_one(binance: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    scene = FuturesScene(binance, tmp_path / "scene")
    scene.bot.sync()
    scene.hedge()
    guard = watched(scene, tmp_path)
    guard.settings["actions"]["naked_position"] = "page"
    legs: list[tuple[str, str, Any]] = [("BUY", "SELL", "LONG"), ("SELL", "BUY", "SHORT")]
    scene.order("SOLUSDT", "BUY", "3", positionSide="LONG")
    scene.algo("SOLUSDT", "SELL", 0.9, quantity="3", positionSide="LONG")
    scene.order("SOLUSDT", legs[1][0], "2", positionSide="SHORT")
    guard.start()
    try:
        eventually(lambda: "no stop covers 2 SOLUSDT SHORT" in guard.log(), "the short one is found; log: %s" % guard.log())
        assert "SOLUSDT LONG" not in guard.log()
        scene.algo("SOLUSDT", legs[1][1], 1.1, quantity="2", positionSide="SHORT")
        eventually(lambda: guard.found() == set(), "a stop ends it")
    finally:
        guard.stop()
