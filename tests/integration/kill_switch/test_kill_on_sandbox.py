"""The kill against the rehearsal exchange: entries go, stops stay with the position, and it never says more than it saw."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golive.kill_switch import kill_switch

from tests.integration.exchange_sandbox.conftest import Client, Sandbox, eventually, make_sandbox  # noqa: F401 (fixture)

FILE = Path(kill_switch.__file__)
KILL_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "close-trades"]
STOPPED = [sys.executable, "-c", "print('{\"stopped\": true}')"]


class Scene:
    """A bot's account with two resting buys, a position and its stop; and the kill machine's own key and settings."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        sandbox.account(tier="unlimited")
        self.bot: Client = sandbox.key()
        made = sandbox.ask("POST", "keys", {"account": "bot", "rights": KILL_RIGHTS}, 201)
        credential = folder / "key.json"
        credential.write_text(json.dumps({"key": made["key"], "secret": made["secret"]}))
        credential.chmod(0o600)
        self.settings: dict[str, Any] = {
            "system": "kraken-micro", "venue": "kraken", "url": sandbox.venue, "credential": str(credential), "quote": "USDT",
            "pairs": ["SHIBUSDT"], "policy": "hold", "epoch_directory": str(folder / "epoch"), "record_directory": str(folder / "records"),
            "settle_s": 0.3, "fence": STOPPED}

    def price(self, factor: float) -> str:
        return "%.8f" % (float(self.bot.look()["c"][0]) * factor)

    def entries(self, count: int = 2) -> None:
        for _ in range(count):
            self.bot.buy(ordertype="limit", price=self.price(0.5))

    def position(self, *, stop: bool) -> None:
        self.bot.buy()
        if stop:
            self.bot.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="stop-loss", price=self.price(0.9), volume="600000")

    def open_orders(self) -> dict[str, Any]:
        return self.bot.good("OpenOrders")["open"]

    def command(self, *arguments: str) -> list[str]:
        path = self.folder / "settings.json"
        path.write_text(json.dumps(self.settings))
        return [sys.executable, "-ISE", str(FILE), "--settings", str(path), *arguments]

    def pull(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def scene(make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> Scene:  # noqa: F811
    return Scene(make_sandbox(), tmp_path)


def record(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout.splitlines()[-1])


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
    scene.sandbox.cruelty("cancel_fails_once", account="bot", times=1)
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


def test_a_dead_venue_is_waited_for_and_paged_about(scene: Scene) -> None:
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
    assert scene.sandbox.failed() == set()


def test_nothing_of_the_key_is_printed_or_recorded(scene: Scene) -> None:
    scene.entries(1)
    done = scene.pull()
    kept = json.loads(Path(scene.settings["credential"]).read_text())
    written = done.stdout + done.stderr + "".join(path.read_text() for path in (scene.folder / "records").iterdir())
    assert kept["secret"] not in written
    assert kept["key"] not in written


@pytest.mark.parametrize(("change", "words"), [
    ({"policy": "wait"}, "expected one of kraken"), ({"policy": "flatten"}, "needs client_id_prefix"), ({"url": "http://example.net"}, "must be https"),
    ({"credential": "/nowhere"}, "holds no usable key"), ({"surprise": 1}, "unknown surprise"), ({"pairs": []}, "missing pairs")])
def test_wrong_settings_end_in_one_sentence_and_still_say_what_a_person_can_do(scene: Scene, change: dict[str, Any], words: str) -> None:
    scene.settings.update(change)
    done = scene.pull()
    assert done.returncode == 64
    assert words in done.stderr
    assert "by hand" in done.stderr
    assert "Traceback" not in done.stderr
