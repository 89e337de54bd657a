"""A change that can lock us out: it is kept only by whoever came in, and every crash leaves the former state or a way back to it."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.sets.confirmed import PLACE, ConfirmedFiles, Trial, trial_of
from golive.sets.core import carry_out
from golive.sets.system import Completed, System

RULES = "/etc/rules"


class Kernel(System):
    """A host whose `load` puts /etc/rules in force; `forget` undoes it; a timer is armed by systemd-run and fired by hand."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        for place in ("etc/systemd/system", "var/lib", "run", "bin"):
            (root / place).mkdir(parents=True)
        (root / "etc/passwd").write_text(f"root:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
        (root / "etc/group").write_text(f"root:x:{os.getgid()}:\n")
        self.armed = False
        programs = {
            "load": f"cp {root}/etc/rules {root}/loaded; ! grep -q bad {root}/etc/rules",
            "forget": f"rm -f {root}/loaded",
            "systemctl": "exit 0",
        }
        for name, text in programs.items():
            (root / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
            (root / "bin" / name).chmod(0o755)

    def run(self, argv: Sequence[str], *_: Any, **__: Any) -> Completed:
        if argv[0] == "systemd-run":
            self.armed = True
            return Completed(0, "", "")
        if argv[0] == "systemctl":
            self.armed = self.armed and argv[1] != "stop"
            return Completed(0, "", "")
        done = subprocess.run(list(argv), capture_output=True, text=True, check=False, env={"PATH": f"{self.root}/bin:/bin:/usr/bin"})
        return Completed(done.returncode, done.stdout, done.stderr)

    def has(self, command: str) -> bool:
        return True

    @property
    def loaded(self) -> str | None:
        return self.read("/loaded")

    def fire(self) -> None:
        """What the timer (or the unit at the next boot) does."""
        for name in ("pending", "reverting"):
            script = self.path(f"{PLACE}/firewall/{name}/revert.sh")
            if os.path.exists(script):
                self.run(["/bin/sh", script])
                return


@pytest.fixture
def host(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def wanted(host: Kernel, text: str, token: str = "t1") -> ConfirmedFiles:
    live = {"argv": ["cat", host.path("/loaded")], "expected": ["cat", host.path(RULES)]}
    trial = Trial("firewall", [host.path("/bin/load")], [host.path("/bin/forget")], 60, live, token)
    return ConfirmedFiles(host, [{"path": RULES, "content": base64.b64encode(text.encode()).decode(), "mode": "0600"}], trial)


def confirmed(host: Kernel, text: str) -> None:
    assert "failed" not in carry_out(wanted(host, text, text), dry=False)
    wanted(host, text, text).confirm()


def ops(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["object"], change["op"]) for change in result["changes"]]


def test_a_trial_that_is_confirmed_stays_and_leaves_nothing_behind(host: Kernel) -> None:
    predicted = carry_out(wanted(host, "one"), dry=True)
    assert host.loaded is None
    real = carry_out(wanted(host, "one"), dry=False)
    assert ops(real) == ops(predicted) == [(f"file:{RULES}", "create"), ("applied:firewall", "apply")]
    assert host.armed
    wanted(host, "one").confirm()
    host.fire()
    assert (host.loaded, host.armed) == ("one", False)
    assert os.listdir(host.path(f"{PLACE}/firewall")) == []
    assert sorted(os.listdir(host.path("/etc/systemd/system"))) == ["sysinit.target.wants"]
    assert carry_out(wanted(host, "one", "t2"), dry=False)["changes"] == []


def test_nobody_confirms_and_the_former_rules_are_back(host: Kernel) -> None:
    confirmed(host, "one")
    carry_out(wanted(host, "two"), dry=False)
    assert host.loaded == "two"
    host.fire()
    assert (host.loaded, host.read(RULES)) == ("one", "one")
    assert wanted(host, "two").reverted()


def test_nobody_confirms_the_first_rules_ever_and_there_are_none(host: Kernel) -> None:
    carry_out(wanted(host, "one"), dry=False)
    host.fire()
    assert (host.loaded, host.read(RULES)) == (None, None)


def test_a_confirmation_that_comes_too_late_is_refused(host: Kernel) -> None:
    confirmed(host, "one")
    carry_out(wanted(host, "two"), dry=False)
    host.fire()
    with pytest.raises(GoliveError, match="nobody confirmed it within 60 s"):
        wanted(host, "two").confirm()


def test_a_way_back_that_was_cut_off_is_taken_to_its_end(host: Kernel) -> None:
    confirmed(host, "one")
    carry_out(wanted(host, "two"), dry=False)
    os.rename(host.path(f"{PLACE}/firewall/pending"), host.path(f"{PLACE}/firewall/reverting"))
    assert not wanted(host, "two").reverted()
    host.fire()
    assert (host.loaded, host.read(RULES)) == ("one", "one")


def test_rules_that_cannot_be_applied_are_taken_back_at_once(host: Kernel) -> None:
    confirmed(host, "one")
    result = carry_out(wanted(host, "bad"), dry=False)
    assert "could not be applied and the former one is back" in result["msg"]
    assert (host.loaded, host.read(RULES)) == ("one", "one")


def test_the_former_of_an_open_trial_stays_the_former(host: Kernel) -> None:
    """A killed run left rules two on trial; the next run tries rules three: the way back still leads to one."""
    confirmed(host, "one")
    carry_out(wanted(host, "two", "killed"), dry=False)
    carry_out(wanted(host, "three", "next"), dry=False)
    host.fire()
    assert (host.loaded, host.read(RULES)) == ("one", "one")


def test_the_trial_of_a_killed_run_is_confirmed_by_the_next_that_wants_the_same(host: Kernel) -> None:
    confirmed(host, "one")
    carry_out(wanted(host, "two", "killed"), dry=False)
    assert ops(carry_out(wanted(host, "two", "next"), dry=True)) == [("applied:firewall", "confirm")]
    assert ops(carry_out(wanted(host, "two", "next"), dry=False)) == [("applied:firewall", "confirm")]
    wanted(host, "two", "next").confirm()
    assert carry_out(wanted(host, "two", "later"), dry=False)["changes"] == []


def test_what_is_no_longer_in_force_is_applied_again(host: Kernel) -> None:
    confirmed(host, "one")
    Path(host.path("/loaded")).write_text("flushed")
    assert ops(carry_out(wanted(host, "one", "t2"), dry=False)) == [("applied:firewall", "apply")]
    assert host.loaded == "one"


@pytest.mark.parametrize("changed", [{"name": "a/b"}, {"apply": []}, {"undo": []}])
def test_a_trial_without_a_way_back_is_refused(changed: dict[str, Any]) -> None:
    given = {"name": "firewall", "apply": ["x"], "undo": ["y"], "within_s": 60, "live": None, "token": "t", **changed}
    with pytest.raises(GoliveError, match="lacks a usable"):
        trial_of(given)
