"""Nothing could be opened since the start: each way in is told, each doubt is undecided. /proc is made of files, the root is real."""
from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import _units
from golive.probes.closed_since_start import ASK, FACTS, observe
from golive.probes.look import Completed

from .fake_look import FakeLook

PID, STARTED = 812, datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)      # later than anything that a test writes
SHOWN = {"Id": "bot-live.service", "LoadState": "loaded", "ActiveState": "active", "MainPID": str(PID), "User": "bot", "DynamicUser": "no",
         "AmbientCapabilities": "", "ExecMainStartTimestamp": STARTED.strftime("%a %Y-%m-%d %H:%M:%S UTC")}
STATUS = {"Uid": "999 999 999 999", "Gid": "998 998 998 998", "Groups": "5 6", "NoNewPrivs": "1", "CapPrm": "0000000000000000"}


class Host:
    """One unit with one process, and the root of another system with a model in it."""

    def __init__(self, place: Path) -> None:
        self.root, self.proc, self.process = place / "swing", place / "proc", place / "proc" / str(PID)
        (self.root / "models").mkdir(parents=True)
        self.model = self.root / "models/model.onnx"
        self.model.write_text("weights")
        (self.process / "fd").mkdir(parents=True)
        (place / "rootfs").mkdir()
        ticks = 100 * os.sysconf("SC_CLK_TCK")
        (self.proc / "uptime").write_text("160.00 1.0\n")
        (self.process / "stat").write_text(f"{PID} (python3) " + " ".join(["0"] * 19) + f" {ticks} 0\n")
        (self.process / "cgroup").write_text("0::/system.slice/bot-live.service\n")
        (self.process / "mountinfo").write_text("22 1 0:20 / / rw - overlay overlay rw\n")
        (self.process / "maps").write_text("")
        (self.process / "root").symlink_to(place / "rootfs")
        (self.process / "cwd").symlink_to("/")
        (self.process / "fd/0").symlink_to("/dev/null")
        self.shown: Callable[[], dict[str, str]] = lambda: SHOWN
        self.told: dict[str, Any] = {"ways": [], "control": []}
        self.now = STARTED + timedelta(seconds=60)
        self.status()

    def status(self, **changed: str) -> None:
        (self.process / "status").write_text("".join(f"{name}:\t{one}\n" for name, one in {**STATUS, **changed}.items()))

    def look(self) -> FakeLook:
        look = FakeLook(commands={
            "systemctl show": lambda _argv: Completed(0, "".join(f"{name}={one}\n" for name, one in self.shown().items()), ""),
            "nsenter": lambda _argv: Completed(0, json.dumps(self.told), "")})
        look.time = self.now
        return look

    def observe(self, look: FakeLook | None = None, **asked: Any) -> dict[str, Any]:
        given = {"unit": "bot-live.service", "roots": [str(self.root)], "control": ["/pointer"], **asked}
        assert set(given) == set(ASK)
        found = observe(given, look or self.look())  # type: ignore[arg-type]
        assert set(found.facts) == set(FACTS)
        assert found.opportunities
        return found.facts


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    made = Host(tmp_path)
    monkeypatch.setattr(_units, "PROC", str(made.proc))
    return made


def test_a_closed_root_that_is_older_than_the_unit_is_closed_since(host: Host) -> None:
    found = host.observe()
    assert (found["open_now"], found["ways"], found["control_ok"], found["processes"]) == ([], [], True, 1)
    assert found["started_s_ago"] == 60
    assert found["root_changed_s_before"] > 0


def test_it_is_tried_with_the_rights_of_the_process_and_not_of_the_account(host: Host) -> None:
    look = host.look()
    host.observe(look)
    words = next(" ".join(words) for words, _user in look.ran if words[0] == "nsenter")
    assert f"--target {PID} --mount -- setpriv --reuid 999 --regid 998 --groups 5,6 --no-new-privs" in words
    host.status(Groups="")
    look = host.look()
    host.observe(look)
    assert "--clear-groups" in next(words for words, _user in look.ran if words[0] == "nsenter")


@pytest.mark.parametrize("name", ["fd/3", "cwd"])
def test_what_is_held_is_told_under_its_name_below_the_root(host: Host, name: str) -> None:
    (host.process / name).unlink(missing_ok=True)
    (host.process / name).symlink_to(host.model if name != "cwd" else host.model.parent)
    assert host.observe()["open_now"] == [f"{PID} {host.model if name != 'cwd' else host.model.parent}"]


def test_what_is_mapped_is_held(host: Host) -> None:
    (host.process / "maps").write_text(f"7f00-7f10 r--p 00000000 00:20 7 {host.model}\n")
    assert host.observe()["open_now"] == [f"{PID} {host.model}"]


def test_a_child_of_the_unit_counts_and_a_stranger_does_not(host: Host) -> None:
    for pid, group in ((900, "/system.slice/bot-live.service/child"), (901, "/system.slice/swing.service")):
        other = host.proc / str(pid)
        (other / "fd").mkdir(parents=True)
        (other / "cgroup").write_text(f"0::{group}\n")
        (other / "maps").write_text("")
        (other / "status").write_text("".join(f"{name}:\t{one}\n" for name, one in STATUS.items()))
        (other / "fd/0").symlink_to(host.model)
    assert host.observe()["open_now"] == [f"900 {host.model}"]


@pytest.mark.parametrize(("changed", "word"), [
    ({"NoNewPrivs": "0"}, "may gain rights"), ({"CapPrm": "0000000000000002"}, "has capabilities"),
    ({"CapPrm": "0000000000080000"}, "has capabilities")], ids=["new-privileges", "dac-override", "ptrace"])
def test_rights_beyond_the_mode_bits_are_a_way(host: Host, changed: dict[str, str], word: str) -> None:
    host.status(**changed)
    assert [word in one for one in host.observe()["ways"]] == [True]


def test_a_capability_that_opens_nothing_is_none(host: Host) -> None:
    host.status(CapPrm="0000000000000400")      # NET_BIND_SERVICE
    assert host.observe()["ways"] == []


@pytest.mark.parametrize("changed", [{"User": ""}, {"User": "root"}, {"AmbientCapabilities": "cap_dac_override"}],
                         ids=["none", "root", "ambient"])
def test_who_was_started_with_more_had_a_way(host: Host, changed: dict[str, str]) -> None:
    host.shown = lambda: {**SHOWN, **changed}
    assert len(host.observe()["ways"]) == 1


def test_a_root_that_lets_it_in_is_a_way(host: Host) -> None:
    host.told = {"ways": [f"pass {host.root}"], "control": []}
    assert host.observe()["ways"] == [f"pass {host.root} as process {PID}"]


def test_a_second_name_outside_is_a_way_and_one_inside_is_not(host: Host) -> None:
    os.link(host.model, host.root / "models/again.onnx")
    assert host.observe()["ways"] == []
    os.link(host.model, host.root.parent / "elsewhere.onnx")
    ways = host.observe()["ways"]
    assert len(ways) == 1
    assert "has another name outside of its root" in ways[0]


def test_a_part_that_is_mounted_elsewhere_is_a_way(host: Host) -> None:
    (host.root.parent / "rootfs/some where").symlink_to(host.root / "models")
    with (host.process / "mountinfo").open("a") as handle:
        handle.write("30 22 0:20 /swing/models /some\\040where ro - overlay overlay rw\n")
    (host.root.parent / "rootfs" / "x").mkdir()
    assert host.observe()["ways"] == [f"{host.root}/models is mounted at /some where"]


def test_a_root_that_was_changed_after_the_start_is_undecided_but_an_open_file_is_told(host: Host) -> None:
    host.now = datetime.now(UTC) + timedelta(seconds=30)
    with pytest.raises(Undecided, match="cannot be told"):
        host.observe()
    (host.process / "fd/3").symlink_to(host.model)
    assert host.observe()["open_now"]


def test_a_clock_that_was_set_forward_hides_no_change(host: Host) -> None:
    before = (datetime.now(UTC) - timedelta(hours=3)).strftime("%a %Y-%m-%d %H:%M:%S UTC")
    host.shown = lambda: {**SHOWN, "ExecMainStartTimestamp": before}
    with pytest.raises(Undecided, match="cannot be told"):
        host.observe()


def test_a_unit_that_is_started_again_meanwhile_is_undecided(host: Host) -> None:
    answers = iter([SHOWN, SHOWN, {**SHOWN, "MainPID": "999"}])
    host.shown = lambda: next(answers)
    with pytest.raises(Undecided, match="started again while"):
        host.observe()


def test_what_cannot_read_its_own_model_does_not_look_isolated(host: Host) -> None:
    host.told = {"ways": [], "control": ["/pointer"]}
    assert host.observe()["control_ok"] is False


@pytest.mark.parametrize(("asked", "shown", "match"), [
    ({}, {"ActiveState": "inactive"}, "does not run"), ({"control": []}, {}, "no control"),
    ({"roots": ["/nowhere/at/all"]}, {}, "cannot be"), ({}, {"ExecMainStartTimestamp": ""}, "does not say when")],
                         ids=["stopped", "no-control", "no-root", "no-time"])
def test_what_cannot_be_told_is_undecided(host: Host, asked: dict[str, Any], shown: dict[str, str], match: str) -> None:
    host.shown = lambda: {**SHOWN, **shown}
    with pytest.raises(Undecided, match=match):
        host.observe(**asked)
