"""Ports as a stranger sees them; the attempts of the first tests are real, on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import threading

import pytest
from golive.errors import Undecided
from golive.probes import port_reachable_from
from golive.probes.look import Completed
from golive.probes.port_reachable_from import FACTS, expect, observe

from .fake_look import FakeLook


def real(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def listener():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


@pytest.fixture
def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(autouse=True)
def plan_of_its_own(monkeypatch):
    monkeypatch.setattr(port_reachable_from, "_begun", {})


@pytest.fixture
def looking(monkeypatch):
    """What the attempts look with that a plan begins."""
    look = FakeLook(commands={"-ISc": real})
    monkeypatch.setattr(port_reachable_from, "Look", lambda *_words: look)
    return look


def said(**words):
    return FakeLook(commands={"-ISc": Completed(0, json.dumps(words.get("words", {})), "")})


def test_open_and_refused_are_told_apart(listener, free):
    seen = observe({"address": "127.0.0.1", "ports": [listener, free], "control_ports": [listener]}, FakeLook(commands={"-ISc": real}))
    assert seen.facts["open"] == [f"127.0.0.1:{listener}"]
    assert seen.facts["refused"] == [f"127.0.0.1:{free}"]
    assert seen.facts["control_open"] is True
    assert seen.opportunities == 2
    assert set(seen.facts) <= set(FACTS)


def test_a_full_backlog_is_silent_like_a_drop():
    """A listener that takes nobody answers nobody: the only silence that loopback has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(0)
        target = one.getsockname()
        held = [socket.socket() for _ in range(4)]
        for client in held:
            client.setblocking(False)
            client.connect_ex(target)
        seen = observe({"targets": [f"127.0.0.1:{target[1]}"], "timeout_s": 0.3}, FakeLook(commands={"-ISc": real}))
        assert seen.facts["silent"] == [f"127.0.0.1:{target[1]}"]
        for client in held:
            client.close()


def test_a_name_that_does_not_resolve_is_unknown_and_no_opportunity():
    seen = observe({"targets": ["no-such-host.invalid:443"]}, FakeLook(commands={"-ISc": real}))
    assert seen.facts["unknown"] == ["no-such-host.invalid:443"]
    assert seen.opportunities == 0


def test_a_name_is_tried_by_a_process_of_its_own_and_says_the_same(listener, free):
    ran = FakeLook(commands={"-ISc": real})
    targets = [f"localhost:{listener}", f"127.0.0.1:{free}"]
    seen = observe({"targets": targets}, ran)
    assert (seen.facts["open"], seen.facts["refused"]) == (targets[:1], targets[1:])
    assert len(ran.ran) == 1
    here = FakeLook()
    observe({"targets": targets[1:]}, here)
    assert here.ran == []


def test_a_closed_control_target_makes_everything_undecided():
    look = said(words={"a:1": "silent", "b:2": "silent"})
    with pytest.raises(Undecided, match="b:2 should be open"):
        observe({"targets": ["a:1"], "control_targets": ["b:2"]}, look)


def test_the_attempt_is_made_as_the_user_that_is_asked_for():
    look = said(words={"a:1": "silent"})
    observe({"targets": ["a:1"], "as_user": "bot"}, look)
    assert look.ran[0][1] == "bot"


@pytest.mark.parametrize(
    "answer", [Completed(1, "", "Traceback"), Completed(0, "", ""), Completed(0, "[]", ""), Completed(0, "{" * 9999, "")]
)
def test_an_attempt_that_fails_is_undecided(answer):
    with pytest.raises(Undecided):
        observe({"targets": ["a:1"]}, FakeLook(commands={"-ISc": answer}))


def test_a_target_without_an_answer_is_unknown():
    assert observe({"targets": ["a:1"]}, said()).facts["unknown"] == ["a:1"]


@pytest.mark.parametrize("ask", [{}, {"ports": [1]}, {"targets": ["a"]},
                                 {"targets": ["-x:1"]}, {"targets": ["a:0"]}, {"targets": ["a:99999"]},
                                 {"address": "a b", "ports": [1]}])  # fmt: skip
def test_a_question_that_means_nothing_is_undecided(ask):
    with pytest.raises(Undecided):
        observe(ask, said())


def test_questions_of_one_plan_are_tried_at_once_each_as_its_user(free, listener, looking):
    one, two = ({"targets": [f"127.0.0.1:{port}"], "as_user": "bot"} for port in (free, listener))
    other = {"targets": [f"127.0.0.1:{free}"], "as_user": "guard"}
    nothing = FakeLook()
    expect([one, two, other, {"targets": ["a"]}, {"targets": ["127.0.0.1:1"], "timeout_s": "x"}], "bot")
    assert observe(one, nothing).facts["refused"] == one["targets"]
    assert observe(two, nothing).facts["open"] == two["targets"]
    assert observe(other, nothing).facts["refused"] == other["targets"]
    assert sorted(user for _argv, user in looking.ran) == ["bot", "guard"]


def test_the_attempts_go_on_while_other_questions_are_answered(monkeypatch):
    """A dropped packet answers only by its timeout; here the attempt ends when the question is asked, and not before."""
    asked = threading.Event()
    monkeypatch.setattr(port_reachable_from, "_tried", lambda targets, _way, _look: asked.wait(20) and dict.fromkeys(targets, "silent"))
    expect([{"targets": ["127.0.0.1:9"]}], "bot")
    asked.set()
    assert observe({"targets": ["127.0.0.1:9"]}, FakeLook()).facts["silent"] == ["127.0.0.1:9"]


def test_an_attempt_that_is_late_or_fails_is_undecided_for_who_asks(monkeypatch):
    never, look = threading.Event(), FakeLook()
    look.left = lambda: 0.05
    monkeypatch.setattr(port_reachable_from, "_tried", lambda *_words: never.wait(20))
    expect([{"targets": ["127.0.0.1:9"]}], "bot")
    with pytest.raises(Undecided, match="not be tried in time"):
        observe({"targets": ["127.0.0.1:9"]}, look)
    never.set()

    def failed(*_words):
        raise Undecided("there is no user bot")

    monkeypatch.setattr(port_reachable_from, "_tried", failed)
    expect([{"targets": ["127.0.0.1:9"]}], "bot")
    with pytest.raises(Undecided, match="no user bot"):
        observe({"targets": ["127.0.0.1:9"]}, FakeLook())


def test_a_name_is_tried_for_its_own_question_only(looking):
    expect([{"targets": ["no-such-host.invalid:443"], "as_user": "bot"}], "bot")
    look = said(words={"127.0.0.1:9": "refused"})
    observe({"targets": ["127.0.0.1:9"], "as_user": "bot"}, look)
    assert looking.ran == []
    assert "no-such-host.invalid:443" not in look.ran[0][0]


def test_an_answer_of_before_is_not_given_again(listener, monkeypatch, looking):
    ask = {"targets": [f"127.0.0.1:{listener}"], "as_user": "bot"}
    expect([ask], "bot")
    observe(ask, looking)
    monkeypatch.setattr(port_reachable_from, "_FRESH_S", -1.0)
    observe(ask, looking)
    assert len(looking.ran) == 2
    monkeypatch.setattr(port_reachable_from, "_FRESH_S", 10.0)
    expect([ask], "bot")  # another plan
    observe(ask, looking)
    assert len(looking.ran) == 3
