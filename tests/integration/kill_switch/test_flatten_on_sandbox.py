"""Flatten on Kraken spot: what the bot bought is sold once, the owner's coins and orders stay, and the end is told as it is."""
from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, eventually, shared  # noqa: F401 (fixture)
from tests.integration.kill_switch.scene import Scene, record


@pytest.fixture
def scene(shared: Sandbox, tmp_path: Path) -> Scene:  # noqa: F811
    made = Scene(shared, tmp_path, "bot-%s" % uuid.uuid4().hex[:8])
    made.flatten()
    return made


def test_a_position_with_its_stop_is_sold_and_its_cost_told(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries()
    done = scene.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert scene.open_orders() == {}
    assert scene.balance() == 0
    cost = record(done)["cost"]
    assert cost["complete"]
    assert float(cost["fees"]) > 0
    assert abs(float(cost["slippage"])) < 5  # the market moves either way between the decision and the fill


def test_the_owners_coins_and_orders_on_the_same_account_are_not_touched(scene: Scene) -> None:
    scene.settings["account"] = "shared"
    owners = scene.owners()
    scene.position(stop=True)
    scene.entries()
    done = scene.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert scene.balance() == owners["coins"]
    assert set(scene.open_orders()) == owners["orders"]
    assert record(done)["left_alone"] == {"foreign_orders": 2}


def test_two_switches_at_once_do_not_sell_twice(scene: Scene) -> None:
    scene.settings["account"] = "shared"
    owners = scene.owners()
    scene.position(stop=True)
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, text=True) as first:
        second = scene.pull()
        assert first.wait(60) == 0
    assert record(second)["state"] == "flat"
    assert scene.balance() == owners["coins"]


def test_two_machines_take_turns_by_the_venues_clock(scene: Scene) -> None:
    scene.settings["account"] = "shared"
    owners = scene.owners()
    scene.position(stop=True)
    machines = []
    for rank in (0, 1):
        scene.settings.update(turn={"slot_s": 5, "rank": rank, "of": 2}, epoch_directory=str(scene.folder / ("epoch%d" % rank)))
        machines.append(scene.command(name="machine%d.json" % rank))
    pulled = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in machines]
    assert [one.wait(90) for one in pulled] == [0, 0]
    assert scene.balance() == owners["coins"]
    assert set(scene.open_orders()) == owners["orders"]
    for one in pulled:
        assert one.stdout is not None
        one.stdout.close()


def test_a_position_without_a_stop_is_sold_as_well(scene: Scene) -> None:
    scene.position(stop=False)
    done = scene.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert scene.balance() == 0


def test_nothing_is_sold_while_the_bot_is_not_fenced(scene: Scene) -> None:
    flag = scene.folder / "fenced"
    scene.settings["fence"] = [sys.executable, "-c", f"import os, sys; sys.exit(not os.path.exists({str(flag)!r})) if not os.path.exists("
                               f"{str(flag)!r}) else print('{{\"stopped\": true}}')"]
    scene.position(stop=True)
    scene.entries(1)
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, text=True) as pulled:
        assert pulled.stdout is not None
        eventually(lambda: "may still be trading" in pulled.stdout.readline(), "the warning is printed")
        assert [one["descr"]["ordertype"] for one in scene.open_orders().values()] == ["stop-loss"]
        flag.touch()
        assert pulled.wait(60) == 0
    assert scene.balance() == 0


def test_dust_is_told_and_left(scene: Scene) -> None:
    scene.position(stop=True)
    scene.bot.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="market", volume="600000", **scene.own())
    stop = next(iter(scene.open_orders()))
    scene.bot.good("CancelOrder", txid=stop)
    scene.bot.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="market", volume="1199000", **scene.own())
    done = scene.pull()
    assert record(done)["state"] == "flat"
    assert "too small to trade" in done.stdout
    assert scene.balance() == 1000


def test_a_sale_that_would_cost_too_much_is_not_made_and_the_position_stays_protected(scene: Scene) -> None:
    scene.settings["flatten"] = {"loss_cap_quote": 0.000001}
    scene.position(stop=True)
    done = scene.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    assert any("would cost more than" in one for one in record(done)["troubles"])
    assert scene.balance() == 600000
    assert [one["descr"]["ordertype"] for one in scene.open_orders().values()] == ["stop-loss"]


def test_a_partial_fill_leaves_the_rest_protected_and_is_finished_later(scene: Scene) -> None:
    scene.position(stop=True)
    scene.sandbox.cruelty("partial_fill_then_disconnect", for_s=4, account=scene.account, share=0.5)
    done = scene.pull()
    assert record(done)["state"] == "flat", done.stdout
    assert scene.balance() == 0 or "too small to trade" in done.stdout


def test_a_key_that_may_not_trade_ends_held_with_stops(scene: Scene) -> None:
    scene.settings.pop("trade_credential")
    scene.position(stop=True)
    done = scene.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    assert any("Permission denied" in one for one in record(done)["troubles"])
    assert [one["descr"]["ordertype"] for one in scene.open_orders().values()] == ["stop-loss"], "a stop was taken away for nothing"


def test_hold_places_a_missing_stop_where_the_profile_says_so(scene: Scene) -> None:
    scene.settings.update(policy="hold")
    scene.position(stop=False)
    done = scene.pull()
    assert record(done)["state"] == "held with stops", done.stdout
    (only,) = scene.open_orders().values()
    assert only["descr"]["ordertype"] == "stop-loss"


def test_the_judge_finds_nothing_wrong_with_its_requests(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries(3)
    scene.pull()
    assert scene.sandbox.failed(scene.account) == set()


def test_a_dry_run_tells_the_order_of_things_and_touches_nothing(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries(1)
    before = scene.open_orders()
    done = scene.pull("--dry-run")
    told = [line.partition("] ")[2] for line in done.stdout.splitlines()]
    assert [line[:9] for line in told if line[:1].isdigit()] == ["0. would ", "1. would ", "3. would ", "4. would ", "5. would "]
    assert any(line.startswith("position: long 600000") for line in told)
    assert set(scene.open_orders()) == set(before)
    assert scene.balance() == 600000
