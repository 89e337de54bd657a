"""The dead man's timer at the rehearsal exchange: what it takes away, and that the refusals are right about it."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golive.kill_switch.dead_man import DeadMan, Plan

from tests.integration.exchange_sandbox.conftest import Sandbox, eventually, shared  # noqa: F401 (fixture)
from tests.integration.kill_switch.scene import Scene


def test_silence_cancels_what_a_quoting_bot_left_and_deciding_keeps_it(shared: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    scene = Scene(shared, tmp_path, "quoting")

    def call(name: str, fields: Mapping[str, Any]) -> Any:
        return scene.bot.good(name, **fields)
    man = DeadMan(Plan("cancel_all", "kraken", "dedicated", False, 0.2, 2.0), ["SHIBUSDT"], call)
    scene.entries(2)
    for _ in range(5):
        man.decided(flat=True)
        assert len(scene.open_orders()) == 2
    eventually(lambda: scene.open_orders() == {}, "the venue cancels after silence")


def test_the_venues_timer_takes_a_stop_away_too_which_is_why_it_is_off_with_a_position(shared: Sandbox, tmp_path: Path) -> None:  # noqa: F811
    scene = Scene(shared, tmp_path, "holding")
    scene.position(stop=True)
    scene.bot.good("CancelAllOrdersAfter", timeout=1)
    eventually(lambda: scene.open_orders() == {}, "the bare timer strips the stop")
    scene.stop()
    scene.bot.good("CancelAllOrdersAfter", timeout=2)
    man = DeadMan(Plan("keep_stops", "kraken", "dedicated", True, 1.0, 0.0), [], lambda name, fields: scene.bot.good(name, **fields))
    man.decided(flat=False)
    first = scene.sandbox.ask("GET", "clock")["now"]
    eventually(lambda: scene.sandbox.ask("GET", "clock")["now"] > first + 3, "the timer would have fired")
    assert len(scene.open_orders()) == 1
