"""The kill against the rehearsal exchange: entries go, stops stay with the position, and it never says more than it saw."""
from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox, eventually, make_sandbox, shared  # noqa: F401 (fixture)
from tests.integration.kill_switch.scene import Scene, record


@pytest.fixture
def scene(shared: Sandbox, tmp_path: Path) -> Scene:  # noqa: F811
    return Scene(shared, tmp_path, "bot-%s" % uuid.uuid4().hex[:8])


def test_entries_go_and_the_stop_of_the_position_stays(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries()
    done = scene.pull()
    assert done.returncode == 0, done.stdout + done.stderr
    assert record(done)["state"] == "held with stops"
    assert [one["descr"]["type"] for one in scene.open_orders().values()] == ["sell"]
    assert record(done)["cancelled"] == 2


def test_a_position_without_a_stop_ends_naked_and_says_how_much(scene: Scene) -> None:
    scene.position(stop=False)
    scene.entries(1)
    done = scene.pull()
    assert done.returncode == 3
    assert "NAKED: no stop covers 600000" in done.stdout
    assert scene.open_orders() == {}


def test_more_entries_than_one_batch_are_all_gone(scene: Scene) -> None:
    scene.entries(60)
    done = scene.pull()
    assert record(done)["state"] == "flat"
    assert scene.open_orders() == {}


def test_an_orphan_stop_goes_once_nothing_is_held(scene: Scene) -> None:
    scene.position(stop=True)
    stop = next(iter(scene.open_orders()))
    scene.bot.good("CancelOrder", txid=stop)
    scene.bot.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="market", volume="600000")
    assert record(scene.pull())["state"] == "flat"


def test_a_refused_first_cancel_is_said_in_the_venues_words_and_repeated(scene: Scene) -> None:
    scene.entries(1)
    scene.sandbox.cruelty("cancel_fails_once", account=scene.account, times=1)
    done = scene.pull()
    assert record(done)["state"] == "flat"
    assert scene.open_orders() == {}
    assert any("refused" in one for one in record(done)["troubles"])


def test_without_a_fence_it_says_that_the_bot_may_still_trade_and_does_not_end(scene: Scene) -> None:
    scene.settings["fence"] = [sys.executable, "-c", "raise SystemExit('no route to host')"]
    scene.entries(1)
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, text=True) as pulled:
        assert pulled.stdout is not None
        eventually(lambda: "may still be trading" in pulled.stdout.readline(), "the warning is printed")
        assert scene.open_orders() == {}
        scene.entries(1)  # the bot is still alive and places again: that order goes too
        eventually(lambda: scene.open_orders() == {}, "the new entry is cancelled")
        assert pulled.poll() is None
        pulled.terminate()


def test_a_dead_venue_is_waited_for(make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:  # noqa: F811
    scene = Scene(make_sandbox(), tmp_path)
    scene.entries(1)
    scene.sandbox.stop()
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, text=True) as pulled:
        assert pulled.stdout is not None
        eventually(lambda: "did not answer" in pulled.stdout.readline(), "the silence is said")
        scene.sandbox.start()
        assert pulled.wait(60) == 0
    assert scene.open_orders() == {}


def test_a_terminal_that_goes_away_does_not_end_the_kill(scene: Scene) -> None:
    scene.settings["fence"] = [sys.executable, "-c", "raise SystemExit('no route to host')"]
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as pulled:
        assert pulled.stdout is not None
        pulled.stdout.readline()
        pulled.stdout.close()
        scene.entries(1)
        eventually(lambda: scene.open_orders() == {}, "the entry is cancelled after the terminal is gone")
        assert pulled.poll() is None
        pulled.terminate()


def test_two_kills_at_once_end_the_same(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries(5)
    with subprocess.Popen(scene.command(), stdout=subprocess.PIPE, text=True) as first:
        second = scene.pull()
        assert first.wait(60) == 0
    assert second.returncode == 0
    assert len(scene.open_orders()) == 1


def test_the_epoch_only_rises(scene: Scene) -> None:
    scene.pull()
    scene.pull()
    raised = sorted(int(path.name) for path in (scene.folder / "epoch").iterdir())
    assert len(raised) == 2
    assert raised[1] > raised[0]


def test_a_dry_run_touches_nothing(scene: Scene) -> None:
    scene.position(stop=True)
    scene.entries(1)
    done = scene.pull("--dry-run")
    assert done.returncode == 0
    assert "would cancel" in done.stdout
    assert len(scene.open_orders()) == 2
    assert not (scene.folder / "epoch").exists()


def test_the_judge_finds_nothing_wrong_with_its_requests(scene: Scene) -> None:
    scene.entries(3)
    scene.pull()
    assert scene.sandbox.failed(scene.account) == set()


def test_nothing_of_the_key_is_printed_or_recorded(scene: Scene) -> None:
    scene.entries(1)
    done = scene.pull()
    kept = json.loads(Path(scene.settings["credential"]).read_text())
    written = done.stdout + done.stderr + "".join(path.read_text() for path in (scene.folder / "records").iterdir())
    assert kept["secret"] not in written
    assert kept["key"] not in written


@pytest.mark.parametrize(("change", "words"), [
    ({"policy": "wait"}, "expected one of kraken"), ({"policy": "flatten"}, "needs client_id_prefix"),
    ({"url": "http://example.net"}, "must be https"),
    ({"credential": "/nowhere"}, "holds no usable key"), ({"surprise": 1}, "unknown surprise"), ({"pairs": []}, "missing pairs")])
def test_wrong_settings_end_in_one_sentence_and_still_say_what_a_person_can_do(scene: Scene, change: dict[str, Any], words: str) -> None:
    scene.settings.update(change)
    done = scene.pull()
    assert done.returncode == 64
    assert words in done.stderr
    assert "by hand" in done.stderr
    assert "Traceback" not in done.stderr
