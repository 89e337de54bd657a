"""Drills on the hosts: signed is what was measured; what did not come true is signed as failed; a good drill is not repeated."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from golive import envelope, rehearsal_signers
from golive.errors import GoliveError
from golive.rehearsal.drills import hosts, kill, run, scene

ROOT = Path(__file__).resolve().parents[3]
RELEASE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def world(tmp_path):
    (tmp_path / "signers/s").mkdir(parents=True)
    shutil.copy(ROOT / "signers/kraken-micro/roles.yml", tmp_path / "signers/s/roles.yml")
    rehearsal_signers.ensure(tmp_path, "s")
    (tmp_path / "evidence").mkdir()

    def drill(release=RELEASE, controls=(), **drills):
        made = {name: (one if callable(one) else lambda _scene, one=one: one) for name, one in drills.items()}
        return run.run(tmp_path, "s", list(made), tmp_path / "evidence", release, made, contextlib.nullcontext, controls)

    def records():
        good, bad = envelope.reader(tmp_path, "s", datetime.now(UTC), rehearsal=True).read_all(tmp_path / "evidence", "drill")
        assert bad == []
        return good

    return drill, records


def failing(exception):
    def drill(_scene):
        raise exception

    return drill


def test_what_was_measured_is_signed_about_the_release(world):
    drill, records = world
    assert drill(stop=({"entry_orders_left": 0}, 3))[0].op == "create"
    record = records()[0]
    assert (record.subject, record.issuer) == (RELEASE, "lab-drill")
    assert record.payload == {"name": "stop", "passed": True, "result": {"entry_orders_left": 0}, "opportunities": 3, "witness": "venue"}


def test_a_drill_with_a_passed_record_of_this_release_is_not_repeated(world):
    drill, records = world
    drill(stop=({}, 1))
    assert drill(stop=failing(AssertionError("it was drilled again")))[0].op == "none"
    assert len(records()) == 1


def test_another_release_is_drilled_again(world):
    drill, _records = world
    drill(stop=({}, 1))
    assert drill(OTHER, stop=({}, 1))[0].op == "create"


@pytest.mark.parametrize("exception", [hosts.NotSeen("the kill warns"), GoliveError("the host was not reached", where="bot")])
def test_what_did_not_come_true_is_a_failed_drill_without_opportunities(world, exception):
    drill, records = world
    assert "FAILED" in drill(stop=failing(exception))[0].text
    payload = records()[0].payload
    assert (payload["passed"], payload["opportunities"]) == (False, 0)
    assert str(exception) in payload["result"]["not_seen"]


def test_a_failed_drill_is_tried_again(world):
    drill, _records = world
    drill(stop=failing(hosts.NotSeen("x")))
    assert drill(stop=({}, 1))[0].op == "create"


def test_a_drill_that_left_its_control_red_is_tried_again_and_a_green_one_is_not(world):
    drill, _records = world
    control = {"probe": "drill", "ask": {"name": "stop"}, "expect": {"result.page": {"eq": True}}, "witness": ["venue"], "severity": "high",
               "min_opportunities": 2}  # fmt: skip
    assert drill(controls=[control], stop=({"page": False}, 2))[0].op == "create"
    assert drill(controls=[control], stop=({"page": True}, 1))[0].op == "create"  # red before
    assert drill(controls=[control], stop=({"page": True}, 2))[0].op == "create"  # too few opportunities before
    assert drill(controls=[control], stop=failing(AssertionError("it was drilled again")))[0].op == "none"


def test_a_unit_that_trades_is_not_taken_away_and_nothing_is_signed(world):
    drill, records = world

    class Armed(hosts.Host):
        def unit(self, name):
            return {"ActiveState": "active"}

        def run(self, *command, **_more):
            assert command[0] == "test", "something was done to a host that trades"
            return subprocess.CompletedProcess(command, 1, "", "")

    def enter(_scene):
        with scene.Scene(Armed("bot", "192.0.2.1", ()), {}, None, "", "", []):
            pytest.fail("it was entered")

    with pytest.raises(scene.InUse, match="disarm first"):
        drill(stop=enter)
    assert records() == []


def order(side):
    return {"side": side}


def test_only_buys_count_as_entries():
    assert scene.entries_of({"orders": {"open": [order("buy"), order("sell"), order("buy")]}}) == 2


@pytest.mark.parametrize(("positions", "kept"), [
    ({}, False), ({"a": {"without_stop": "0"}}, True), ({"a": {"without_stop": "0"}, "b": {"without_stop": "0.1"}}, False)])  # fmt: skip
def test_stops_are_kept_where_every_position_is_covered_and_there_is_one(positions, kept):
    assert scene.protected({"positions": positions}) is kept


class Stage:
    def __init__(self, counts, found):
        self.counts, self.found = list(counts), found

    def open_entries(self):
        count = self.counts.pop(0)
        if not self.counts:
            self.found.rc = 0
        return count


def watched(*counts):
    found = kill.Pull()
    kill._watch(Stage(counts, found), found, kill.time.monotonic())
    return found.seconds_to_no_entries


def test_the_time_counts_to_the_last_moment_that_entries_were_there():
    assert watched(2, 0, 0) is not None
    assert watched(2, 0, 1) is None  # placed again after it was clean: not clean at the end


def test_a_venue_that_never_got_clean_has_no_time():
    with pytest.raises(GoliveError):
        kill._need(watched(2, 2))


def test_a_command_reaches_the_host_word_for_word():
    variables = {"ansible_host": "192.0.2.1", "ansible_user": "golive", "ansible_ssh_common_args": '-o UserKnownHostsFile="/a b/known"'}
    argv = hosts.of("bot", variables).argv("cat", "a file; rm -rf /")
    assert argv[:5] == ["ssh", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/a b/known"]
    assert argv[-2:] == ["golive@192.0.2.1", "sudo -n -- cat 'a file; rm -rf /'"]


@pytest.mark.parametrize(("rc", "words"), [(255, "not reached"), (1, "failed")])
def test_a_step_that_fails_says_where_and_in_whose_words(monkeypatch, rc, words):
    monkeypatch.setattr(subprocess, "run", lambda *_a, **_k: subprocess.CompletedProcess([], rc, "", "ssh: no route\n"))
    with pytest.raises(GoliveError, match=words) as caught:
        hosts.of("bot", {}).need("true")
    assert "no route" in str(caught.value)


def test_waiting_ends_at_its_deadline_with_what_was_not_seen():
    with pytest.raises(hosts.NotSeen, match="never"):
        hosts.wait_for(lambda: False, "never", deadline_s=0, pause_s=0)


def test_the_drill_unit_takes_the_tickets_question_and_the_real_key_away():
    lines = scene.LIVE_UNIT.splitlines()
    assert lines.index("ExecCondition=") < lines.index("LoadCredentialEncrypted=") < lines.index("LoadCredential=")
    assert f"LoadCredential=exchange_key:{scene.FOLDER}/exchange_key" in lines
    assert scene.DROP_IN.startswith("/run/")
