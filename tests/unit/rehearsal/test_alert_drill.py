"""The alert drill: when a canary is due, and that none is left behind."""

from __future__ import annotations

import subprocess

import pytest
from golive.errors import GoliveError
from golive.rehearsal.drills import alert
from golive.rehearsal.drills.hosts import Host

FRESH = {"canary_received": True, "canary_seconds": 3.0, "canary_age_s": 10.0}


class FakeHost(Host):
    """A host that keeps files; `refuse` names a command that fails."""

    files: dict[str, str]
    refuse = ""

    def run(self, *command, stdin=None, timeout=30.0):
        if command[0] == self.refuse:
            return subprocess.CompletedProcess(command, 2, "", f"{command[0]}: refused")
        if command[0] == "install":
            self.files[command[-1]] = stdin
        elif command[0] == "mv":
            self.files[command[2]] = self.files.pop(command[1])
        elif command[0] == "rm":
            for path in command[2:]:
                self.files.pop(path, None)
        rc = 1 if command[:2] == ("test", "-e") and command[2] not in self.files else 0
        return subprocess.CompletedProcess(command, rc, "1700000000\n" if command[0] == "date" else "", "")


@pytest.fixture
def bot():
    made = FakeHost("bot", "192.0.2.1", ())
    object.__setattr__(made, "files", {})
    return made


def reason(**more):
    return alert.due({**FRESH, **more}, more.pop("planted", False), within_s=300, max_age_s=100)


def test_a_fresh_canary_needs_no_drill():
    assert reason() is None


@pytest.mark.parametrize("more", [
    {"canary_received": False}, {"canary_age_s": 51}, {"canary_seconds": 301}, {"canary_seconds": None}, {"planted": True}])  # fmt: skip
def test_a_canary_that_is_old_late_of_unknown_breach_or_left_over_is_drilled_again(more):
    assert reason(**more)


def test_the_canary_is_read_back_by_its_nonce_and_taken_away(bot):
    def arrived():
        text = bot.files[alert.FILE]
        assert text.endswith("} 1700000000\n")
        return {text.split('"')[1]}

    assert "arrived" in alert.drill(bot, arrived, 5)
    assert not alert.planted(bot)


def test_another_canary_is_no_receipt_and_nothing_is_left(bot):
    assert alert.drill(bot, lambda: {"other"}, 0).startswith("FAILED")
    assert bot.files == {}


def test_a_receiver_that_breaks_the_drill_leaves_no_canary(bot):
    def arrived():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alert.drill(bot, arrived, 5)
    assert bot.files == {}


def test_a_canary_that_cannot_be_looked_at_is_not_taken_for_absent(bot):
    object.__setattr__(bot, "refuse", "test")
    with pytest.raises(GoliveError, match="cannot be looked at"):
        alert.planted(bot)
