"""A dry run says what a pull would do, in what order: what it names goes, what it keeps stays, and the pull then follows that order."""
from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, shared  # noqa: F401 (fixture)
from tests.integration.kill_switch.binance_scene import FuturesScene, SpotScene, binance  # noqa: F401 (fixture)
from tests.integration.kill_switch.margin_scene import MarginScene
from tests.integration.kill_switch.scene import Scene, record

STEP = re.compile(r"^\[ *[0-9.]+ s\] ([0-9])\. (.*)$", re.M)
ACTS = ("CancelOrder", "CancelOrderBatch", "AddOrder", "order", "algoOrder", "batchOrders", "openOrders", "orderList")


@pytest.fixture
def kraken(shared: Sandbox, tmp_path: Path) -> Scene:  # noqa: F811
    scene = Scene(shared, tmp_path / "kraken", "dry-" + uuid.uuid4().hex[:8])
    scene.position(stop=True)
    scene.entries(2)
    return scene


@pytest.fixture
def margin(shared: Sandbox, tmp_path: Path) -> MarginScene:  # noqa: F811
    scene = MarginScene(shared, tmp_path / "margin")
    scene.held("sell")
    scene.both_entries()
    return scene


@pytest.fixture
def spot(binance: Sandbox, tmp_path: Path) -> SpotScene:  # noqa: F811
    scene = SpotScene(binance, tmp_path / "spot")
    scene.position(stop=True)
    scene.entries(2)
    return scene


@pytest.fixture
def futures(binance: Sandbox, tmp_path: Path) -> FuturesScene:  # noqa: F811
    scene = FuturesScene(binance, tmp_path / "futures")
    scene.order("SOLUSDT", "BUY", "3")
    scene.algo("SOLUSDT", "SELL", 0.9, quantity="3", reduceOnly="true")
    scene.algo("XRPUSDT", "BUY", 1.1, quantity="20")
    scene.entries(2)
    return scene


@pytest.fixture
def hedged(binance: Sandbox, tmp_path: Path) -> FuturesScene:  # noqa: F811
    scene = FuturesScene(binance, tmp_path / "hedged")
    scene.hedge()
    scene.order("SOLUSDT", "BUY", "3", positionSide="LONG")
    scene.order("SOLUSDT", "SELL", "2", positionSide="SHORT")
    scene.algo("SOLUSDT", "SELL", 0.9, quantity="3", positionSide="LONG")
    scene.entries(2, positionSide="LONG")
    return scene


def resting(scene: Any) -> set[str]:
    """Return the ids of everything that is open, in each of the venue's services."""
    orders = scene.open_orders()
    if isinstance(orders, dict):
        return set(orders)
    algos = {str(one["algoId"]) for one in scene.open_algos()} if isinstance(scene, FuturesScene) else set()
    return {str(one["orderId"]) for one in orders} | algos


def asked(scene: Any) -> list[Any]:
    return list(scene.sandbox.ask("GET", "requests?limit=1000&account=" + scene.account)["requests"])


@pytest.mark.parametrize("policy", ["hold", "flatten"])
@pytest.mark.parametrize("where", ["kraken", "margin", "spot", "futures", "hedged"])
def test_what_is_said_is_what_is_then_done(where: str, policy: str, request: pytest.FixtureRequest) -> None:
    scene = request.getfixturevalue(where)
    if policy == "flatten":
        scene.flatten()
        scene.settings["flatten"]["loss_cap_quote"] = 100
    before, questions = resting(scene), len(asked(scene))
    done = scene.pull("--dry-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert resting(scene) == before
    assert not (scene.folder / "epoch").exists()
    said = STEP.findall(done.stdout)
    assert [int(number) for number, _ in said] == sorted(int(number) for number, _ in said), done.stdout
    assert said[0] == ("0", "would raise the epoch, void the ticket, stop and mask the bot, page")
    assert said[-1] == ("5", "would read everything back until two readings are clean")
    going = {re.match(r"would cancel ([\w-]+)", text)[1] for number, text in said if number in "12"}   # type: ignore[index]
    kept = {re.match(r"would keep ([\w-]+)", text)[1] for number, text in said if number == "3"}    # type: ignore[index]
    assert (going | kept, going & kept) == (before, set())
    closes = [text for number, text in said if number == "4"]
    assert bool(closes) is (policy == "flatten")
    assert "position: " in done.stdout
    assert len(asked(scene)) > questions, "a dry run that asks nothing knows nothing"

    pulled = scene.pull()
    state = record(pulled)["state"]
    assert state == ("flat" if policy == "flatten" else "NAKED" if where == "hedged" else "held with stops"), pulled.stdout
    assert resting(scene) == (set() if policy == "flatten" else kept)
    assert record(pulled)["cancelled"] >= len(going)
