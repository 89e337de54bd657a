"""The drills of the kill switch with the real program and a real rehearsal exchange; only the bot's host and its systemd are played."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golive.kill_switch import kill_switch as program
from golive.rehearsal.drills import kill
from golive.rehearsal.drills.hosts import Host
from golive.rehearsal.drills.scene import FOLDER, Scene

from tests.integration.exchange_sandbox.conftest import Sandbox, make_sandbox  # noqa: F401 (fixture)

KILL_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "close-trades"]


class Played(Host):
    """A host whose files lie under a folder; `fenced` is the file that the played fence writes."""

    def __init__(self, name: str, folder: Path, fenced: Path) -> None:
        super().__init__(name, "192.0.2.1", ())
        object.__setattr__(self, "folder", folder)
        object.__setattr__(self, "fenced", fenced)
        object.__setattr__(self, "masked", True)

    def place(self, path: str) -> Path:
        return Path(f"{self.folder}{path}")  # type: ignore[attr-defined]

    def write(self, path: str, content: str, mode: str = "0600", owner: str = "root:root") -> None:
        self.place(path).parent.mkdir(parents=True, exist_ok=True)
        self.place(path).write_text(content.replace(FOLDER, str(self.place(FOLDER))))
        self.place(path).chmod(int(mode, 8))

    def run(self, *command: str, **_more: Any) -> subprocess.CompletedProcess[str]:
        if command[:2] == ("systemctl", "start") and not self.masked:  # type: ignore[attr-defined]
            self.fenced.unlink(missing_ok=True)  # type: ignore[attr-defined]
        text = self.place(command[1]).read_text() if command[0] == "cat" else ""
        return subprocess.CompletedProcess(command, 0, text, "")

    def start(self, *command: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-ISE", program.__file__, command[1], str(self.place(command[2]))]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def unit(self, name: str) -> dict[str, str]:
        del name
        active = "inactive" if self.fenced.exists() else "active"  # type: ignore[attr-defined]
        return {"ActiveState": active, "UnitFileState": "masked" if active == "inactive" else "disabled"}


class Exchange:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return dict(self.sandbox.ask(method, path, body))


@pytest.fixture
def scene(make_sandbox: Callable[..., Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:  # noqa: F811
    sandbox, fenced = make_sandbox(), tmp_path / "fenced"
    guard = Played("guard", tmp_path / "guard", fenced)
    fence = [sys.executable, "-c", f"open({str(fenced)!r}, 'w'); print('{{\"stopped\": true}}')"]
    guard.write(kill.SETTINGS, json.dumps({
        "system": "s", "venue": "kraken", "url": sandbox.venue, "credential": "x", "quote": "USDT", "pairs": ["SHIBUSDT"], "policy": "hold",
        "epoch_directory": str(tmp_path / "epochs"), "record_directory": "x", "settle_s": 0.3, "fence": fence}))  # fmt: skip
    monkeypatch.setattr(Scene, "start_bot", lambda _self: fenced.unlink(missing_ok=True))
    return Scene(Played("bot", tmp_path / "bot", fenced), {"guard": guard}, Exchange(sandbox), sandbox.venue, "", KILL_RIGHTS)


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback speaks plain HTTP; an empty authority file means none."""
    made = program.Kraken
    monkeypatch.setattr("golive.rehearsal.drills.scene.Kraken", lambda url, ca, key, secret: made(url, ca or None, key, secret))


def test_the_whole_switch_is_measured_by_the_venues_word(scene: Scene) -> None:
    with scene:
        result, opportunities = kill.kill_switch(scene)
    assert opportunities == 3
    assert result["entry_orders_left"] == 0
    assert (result["stops_kept"], result["stays_off"], result["ended"]) == (True, True, "held with stops")
    assert result["alert_sent"] is False  # nobody is paged by these settings, and the drill says so


def test_a_host_that_starts_the_unit_again_is_seen(scene: Scene) -> None:
    with scene:
        object.__setattr__(scene.bot, "masked", False)
        result, tried = kill.mode_stays_off(scene)
    assert (result["started_again"], tried >= 3) == (True, True)


def test_a_refused_first_cancel_is_measured_as_reported(scene: Scene) -> None:
    with scene:
        result, _count = kill.cancel_fails_once(scene)
    assert result == {"entry_orders_left": 0, "unit_stopped": True, "unit_masked": True, "retries_reported": True}


def test_maintenance_is_said_and_survived(scene: Scene) -> None:
    with scene:
        result, _count = kill.in_maintenance(scene)
    assert result == {"said_so": True, "entry_orders_left": 0}


def test_the_path_to_the_venue_leaves_no_order_no_fill_and_no_fee(scene: Scene) -> None:
    with scene:
        result, placed = kill.on_venue(scene)
    assert (placed, result["orders_left"], result["fills"], result["fees"], result["ended"]) == (3, 0, 0, 0.0, "flat")


def test_after_the_scene_its_keys_are_revoked(scene: Scene) -> None:
    with scene:
        scene.entries(1)
    keys = scene.exchange.ask("GET", "keys")["keys"]
    assert keys
    assert all(one["revoked"] for one in keys if one["account"] == scene.account)
