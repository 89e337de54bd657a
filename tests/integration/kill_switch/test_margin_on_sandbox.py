"""Kraken on margin: what enlarges goes, stops that only reduce stay, and closing is reduce-only whichever side the position is on."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, shared  # noqa: F401 (fixture)
from tests.integration.kill_switch.margin_scene import MarginScene
from tests.integration.kill_switch.scene import record


@pytest.fixture
def scene(shared: Sandbox, tmp_path: Path) -> MarginScene:  # noqa: F811
    return MarginScene(shared, tmp_path)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_entries_of_both_sides_go_and_the_stop_stays(scene: MarginScene, side: str) -> None:
    scene.held(side)
    scene.both_entries()
    done = scene.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    assert record(done)["cancelled"] == 2
    assert [one["descr"]["ordertype"] for one in scene.open_orders().values()] == ["stop-loss"]
    assert list(scene.positions().values()) == [3.0 if side == "buy" else -3.0]
    assert scene.sandbox.failed(scene.account) == set()


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_missing_stop_is_told_and_placed_where_the_profile_says_so(scene: MarginScene, side: str) -> None:
    scene.held(side, stop=False)
    done = scene.pull()
    assert (done.returncode, record(done)["state"]) == (3, "NAKED"), done.stdout
    scene.flatten()
    scene.settings["policy"] = "hold"
    done = scene.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    (placed,) = scene.stops()
    assert (placed["descr"]["type"], float(placed["vol"])) == ("sell" if side == "buy" else "buy", 3.0)
    assert placed["reduce_only"] is True


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_position_is_closed_whole_and_its_stop_goes_with_it(scene: MarginScene, side: str) -> None:
    scene.flatten()
    scene.settings["flatten"]["loss_cap_quote"] = 100
    scene.held(side)
    scene.both_entries()
    done = scene.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert scene.positions() == {}
    assert scene.open_orders() == {}
    assert record(done)["cost"]["complete"]


def test_a_long_and_a_short_position_and_coins_of_spot_are_all_closed(scene: MarginScene) -> None:
    scene.flatten()
    scene.settings["flatten"]["loss_cap_quote"] = 100
    scene.held("buy")
    scene.held("sell", volume="100", pair="XRPUSDT")
    scene.bot.buy(pair="SOLUSDT", volume="2", **scene.own())
    done = scene.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert scene.positions() == {}
    assert scene.balance("SOL") == 0
    assert scene.sandbox.failed(scene.account) == set()


@pytest.mark.parametrize("policy", ["hold", "flatten"])
def test_the_owners_position_and_orders_of_another_pair_are_not_touched(scene: MarginScene, policy: str) -> None:
    scene.flatten(account="shared")
    scene.settings["flatten"]["loss_cap_quote"] = 100
    scene.settings["policy"] = policy
    mine = {"cl_ord_id": "by-hand-1"}
    scene.bot.good("AddOrder", pair="XBTUSDT", type="buy", ordertype="market", volume="0.02", leverage="2", **mine)
    owners = scene.order("sell", "0.02", "XBTUSDT", ordertype="limit", price=scene.price(1.4, "XBTUSDT"), cl_ord_id="by-hand-2")
    scene.held("buy")
    scene.both_entries()
    done = scene.pull()
    assert record(done)["state"] == ("flat" if policy == "flatten" else "held with stops"), done.stdout
    assert owners in scene.open_orders()
    assert scene.positions()["XBTUSDT"] == 0.02
    assert ("SOLUSDT" in scene.positions()) is (policy == "hold")


def test_two_pulls_at_once_leave_nothing_turned_round(scene: MarginScene) -> None:
    import subprocess

    scene.flatten()
    scene.settings["flatten"]["loss_cap_quote"] = 100
    scene.held("buy")
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, text=True) as first:
        second = scene.pull()
        assert first.wait(90) == 0
    assert record(second)["state"] == "flat"
    assert scene.positions() == {}
