"""The guard on a Kraken account with margin: positions of either side, their stops, the margin level, and the second opinion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, eventually, shared  # noqa: F401 (fixture)
from tests.integration.guard.test_guard_on_sandbox import Watched
from tests.integration.kill_switch.margin_scene import MarginScene


@pytest.fixture
def both(shared: Sandbox, tmp_path: Path) -> Iterator[tuple[MarginScene, Watched]]:  # noqa: F811
    scene = MarginScene(shared, tmp_path / "scene")
    guard = Watched(shared, tmp_path, scene.settings["credential"])
    guard.settings.update(pairs=["SOLUSDT", "XRPUSDT"], client_id_prefix="glbot", margin_level_min=200.0, exposure=5000, loss_day=2000,
                          loss_total=2000, stop_distance_max=0.15)  # fmt: skip
    yield scene, guard
    guard.stop()


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_position_with_its_stop_is_left_alone_and_one_without_is_killed(both: tuple[MarginScene, Watched], side: str) -> None:
    scene, guard = both
    scene.held(side, stop=False)
    stop = scene.stop_of(side, "3")
    guard.start()
    guard.readings(3)
    assert guard.found() == set(), guard.log()
    scene.bot.good("CancelOrder", txid=stop)
    eventually(guard.killed, "the kill is asked for; log: %s" % guard.log())
    assert "no stop covers 3 SOLUSDT margin" in guard.log()
    assert scene.sandbox.failed(scene.account) == set()


def test_entries_of_both_sides_go_when_the_bots_host_is_deaf_and_stops_stay(both: tuple[MarginScene, Watched]) -> None:
    scene, guard = both
    scene.held("sell")
    scene.both_entries()
    guard.settings.update(exposure=1, acknowledge_s=0.5)
    (guard.folder / "bot_host" / "deaf").touch()
    guard.start()
    eventually(lambda: len(scene.open_orders()) == 1, "the entries go; log: %s" % guard.log())
    assert len(scene.stops()) == 1


def test_a_margin_level_that_runs_short_and_a_far_stop_are_found(both: tuple[MarginScene, Watched]) -> None:
    scene, guard = both
    scene.held("buy", volume="50")
    guard.settings.update(margin_level_min=10000.0, exposure=50000, stop_distance_max=0.05)
    guard.start()
    eventually(lambda: {"margin_level", "far_stop"} <= guard.found(), "both are found; log: %s" % guard.log())
    assert not guard.killed()
