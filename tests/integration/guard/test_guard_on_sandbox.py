"""The guard against the rehearsal exchange: what it finds, what it does, what it does not forget, and when it does not kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golive.guard import decide

from tests.integration.exchange_sandbox.conftest import Client, Sandbox, eventually, free_port, make_sandbox  # noqa: F401 (fixture)

ROOT = Path(__file__).parents[3]
RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "close-trades"]
BOT_HOST = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])
words = json.loads(sys.stdin.read())["words"]
if (folder / "deaf").exists():
    sys.exit("no route to host")
for word in words:
    (folder / word).write_text("guard")
print(json.dumps({"running": True, "decision_age_s": 0.1, "acknowledged": words, "problems": []}))
"""
ACTIONS = {**dict.fromkeys(decide.CHECKS, "no_entries"), "naked_position": "kill", "foreign_order": "kill", "unheard": "page"}


class Watched:
    """A guard with its own key, and a bot's host that is a folder."""

    def __init__(self, sandbox: Sandbox, folder: Path, credential: str) -> None:
        self.sandbox, self.folder = sandbox, folder
        for name in ("bot_host", "epochs"):
            (folder / name).mkdir()
        self.process: subprocess.Popen[bytes] | None = None
        self.settings: dict[str, Any] = {
            "system": "kraken-micro",
            "venue": "kraken",
            "url": sandbox.venue,
            "ca_file": "",
            "credential": credential,
            "pairs": ["SHIBUSDT"],
            "account": "dedicated",
            "client_id_prefix": "gl",
            "state_file": str(folder / "state.json"),
            "kill_request": str(folder / "kill"),
            "epoch_directory": str(folder / "epochs"),
            "tell_bot": [sys.executable, "-c", BOT_HOST, str(folder / "bot_host")],
            "heartbeat": [sys.executable, "-c", "import pathlib; pathlib.Path(%r).touch()" % str(folder / "beat")],
            "page": None,
            "actions": dict(ACTIONS),
            "metrics_port": free_port(),
            "loss_day": 20,
            "loss_total": 30,
            "exposure": 500,
            "positions": 3,
            "orders_per_minute": 1000,
            "notional_per_minute": 100000,
            "loop_s": 0.2,
            "naked_grace_s": 0,
            "decision_age_s": 60,
            "blind_s": 60,
            "unheard_s": 600,
            "acknowledge_s": 5,
            "tell_every_s": 1,
            "closed_every_s": 0.5,
            "heartbeat_every_s": 1,
            "page_repeat_s": 60,
            "margin_level_min": 0.0,
            "stop_distance_max": 0.0,
            "calls_max": 1000,
            "calls_decay": 100,
        }

    def start(self) -> None:
        path = self.folder / "settings.json"
        path.write_text(json.dumps(self.settings))
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "module_utils")}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "golive.guard.guard", "--settings", str(path)],
                env=environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    def stop(self, how: int = signal.SIGKILL) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    def state(self) -> dict[str, Any]:
        try:
            return json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            return {"readings": 0, "loops": 0, "findings": []}

    def found(self) -> set[str]:
        return {one["check"] for one in self.state()["findings"]}

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def readings(self, count: int) -> None:
        """Wait for that many more whole readings."""
        before = self.state()["readings"]
        eventually(lambda: self.state()["readings"] >= before + count, "the guard reads on; its log: %s" % self.log())

    def loops(self, count: int) -> None:
        before = self.state()["loops"]
        eventually(lambda: self.state()["loops"] >= before + count, "the guard goes on; its log: %s" % self.log())

    def told(self, word: str) -> bool:
        return (self.folder / "bot_host" / word).exists()

    def killed(self) -> bool:
        return (self.folder / "kill").exists()


class Scene(Watched):
    """A bot's account at Kraken, and its guard."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        sandbox.account(tier="unlimited")
        self.bot: Client = sandbox.key()
        made = sandbox.ask("POST", "keys", {"account": "bot", "rights": RIGHTS}, 201)
        key = folder / "key.json"
        key.write_text(json.dumps({"key": made["key"], "secret": made["secret"]}))
        key.chmod(0o600)
        super().__init__(sandbox, folder, str(key))

    def buy(self, name: str = "gle0001") -> None:
        self.bot.buy(cl_ord_id=name)

    def rest(self, name: str) -> str:
        price = "%.8f" % (float(self.bot.look()["c"][0]) * 0.5)
        return str(self.bot.buy(ordertype="limit", price=price, cl_ord_id=name)["txid"][0])

    def stop_loss(self) -> None:
        price = "%.8f" % (float(self.bot.look()["c"][0]) * 0.5)
        self.bot.good("AddOrder", pair="SHIBUSDT", type="sell", ordertype="stop-loss", price=price, volume="600000", cl_ord_id="gls0001")


@pytest.fixture
def scene(make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> Iterator[Scene]:  # noqa: F811
    made = Scene(make_sandbox(), tmp_path)
    yield made
    made.stop()


def test_an_account_in_order_is_left_alone_and_life_is_shown(scene: Scene) -> None:
    scene.buy()
    scene.stop_loss()
    scene.rest("gle0002")
    scene.start()
    scene.readings(3)
    assert scene.found() == set()
    assert not scene.killed()
    assert not scene.told("no_entries")
    assert len(scene.bot.good("OpenOrders")["open"]) == 2
    eventually((scene.folder / "beat").exists, "the heartbeat is shown")
    port = scene.settings["metrics_port"]
    metrics = __import__("urllib.request").request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=30).read().decode()
    assert 'golive_guard_found{check="naked_position"} 0' in metrics


def test_a_naked_position_ends_entries_and_two_endpoints_kill(scene: Scene) -> None:
    scene.buy()
    scene.start()
    eventually(lambda: scene.told("no_entries"), "the bot is told")
    eventually(scene.killed, "the kill is asked for; log: %s" % scene.log())
    assert "no stop covers 600000 SHIB" in scene.log()


def test_a_foreign_order_is_found_and_kills(scene: Scene) -> None:
    scene.start()
    scene.readings(1)
    assert scene.found() == set()
    txid = scene.rest("other01")
    eventually(scene.killed, "the kill is asked for")
    assert "order %s (buy SHIBUSDT) is not the bot's" % txid in scene.log()


def test_a_foreign_order_that_is_over_between_two_readings_is_found_too(scene: Scene) -> None:
    scene.start()
    scene.readings(1)
    scene.bot.good("CancelOrder", txid=scene.rest("other02"))
    eventually(scene.killed, "the kill is asked for")


def test_without_the_second_endpoint_there_is_no_kill_but_entries_end(scene: Scene) -> None:
    scene.sandbox.cruelty("balance_source_failure", account="bot", endpoints="BalanceEx")
    scene.buy()
    scene.start()
    eventually(lambda: scene.told("no_entries"), "the bot is told")
    eventually(lambda: "is not confirmed" in scene.log(), "the doubt is said")
    scene.readings(3)
    assert not scene.killed()


def test_a_flapping_venue_does_not_kill(scene: Scene) -> None:
    """Errors, half answers and refusals of every second call: nothing is known, and nothing is killed for it."""
    scene.buy()
    scene.stop_loss()
    for name, params in (("http_5xx", {"ratio": 0.4}), ("half_json", {"ratio": 0.3})):
        scene.sandbox.cruelty(name, **params)
    scene.start()
    scene.loops(10)
    scene.sandbox.ask("DELETE", "cruelties")
    scene.readings(2)
    assert not scene.killed()
    assert scene.found() == set()


def test_a_venue_that_asks_for_fewer_calls_is_left_alone_and_nothing_is_concluded_meanwhile(scene: Scene) -> None:
    scene.buy()
    scene.stop_loss()
    scene.start()
    scene.readings(2)
    scene.sandbox.cruelty("rate_limit", account="bot", status=429, retry_after_s=1)
    eventually(lambda: "429" in scene.log() or "Rate limit" in scene.log(), "the venue's refusal is said; log: %s" % scene.log())
    before = scene.state()["readings"]
    scene.loops(5)
    assert scene.state()["readings"] <= before + 1
    scene.sandbox.ask("DELETE", "cruelties")
    scene.readings(2)
    assert not scene.killed()
    assert scene.found() == set()


def test_nothing_listens_but_metrics_and_only_on_loopback(scene: Scene) -> None:
    scene.start()
    scene.readings(1)
    assert scene.process is not None
    folder = Path("/proc/%d" % scene.process.pid)
    mine = {os.readlink(one) for one in (folder / "fd").iterdir() if one.exists() or one.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for row in (line.split() for line in (folder / "net" / table).read_text().splitlines()[1:]):
            if "socket:[%s]" % row[9] in mine and (row[3] == "0A" or table.startswith("udp")):
                listening.append((table, row[1]))
    assert listening == [("tcp", "0100007F:%04X" % scene.settings["metrics_port"])]


def test_the_days_loss_survives_a_restart_of_the_guard(scene: Scene) -> None:
    scene.settings["loss_day"] = 1
    scene.buy()
    scene.stop_loss()
    scene.start()
    scene.readings(2)
    before = scene.state()["memory"]
    scene.stop()
    scene.sandbox.ask("POST", "markets/SHIBUSDT/price", {"pct": -30})
    scene.start()
    eventually(lambda: scene.told("no_entries"), "the loss is found after the restart; log: %s" % scene.log())
    assert "drawdown_day" in scene.found()
    assert scene.state()["memory"]["day_start"] == before["day_start"]


def test_a_silent_venue_ends_entries_by_the_bot_itself(scene: Scene) -> None:
    scene.settings["blind_s"] = 1
    scene.start()
    scene.readings(1)
    scene.sandbox.stop()
    eventually(lambda: scene.told("no_entries"), "blindness is told")
    assert "blind" in scene.found()
    assert not scene.killed()


def test_where_the_bots_host_is_deaf_the_guard_cancels_entries_itself_and_keeps_stops(scene: Scene) -> None:
    (scene.folder / "bot_host" / "deaf").touch()
    scene.settings.update({"acknowledge_s": 0.5, "exposure": 0.000001})
    scene.buy()
    scene.stop_loss()
    scene.rest("gle0003")
    scene.start()
    eventually(
        lambda: [one["descr"]["type"] for one in scene.bot.good("OpenOrders")["open"].values()] == ["sell"], "only the stop is left"
    )
    eventually(lambda: scene.state()["self_cancelled"] == 1, "it is counted")
    assert not scene.killed()


def test_a_kill_that_does_not_start_is_asked_for_again(scene: Scene) -> None:
    scene.settings["actions"]["foreign_order"] = "kill"
    scene.rest("other03")
    scene.start()
    eventually(scene.killed, "the kill is asked for")
    (scene.folder / "kill").unlink()
    eventually(scene.killed, "the kill is asked for again; log: %s" % scene.log())
    (scene.folder / "epochs" / "1").touch()
    eventually(lambda: "the kill switch runs" in scene.log(), "its start is seen")


def test_settings_that_would_kill_without_a_second_endpoint_are_refused(scene: Scene) -> None:
    scene.settings["actions"]["order_rate"] = "kill"
    scene.start()
    assert scene.process is not None
    assert scene.process.wait(30) == 64
    assert "actions.order_rate: kill needs a second endpoint that agrees" in scene.log()
