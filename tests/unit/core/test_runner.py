"""The runner on a host that looks: every question has its answer, in the order of the plan, whatever probes do."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from golive import runner
from golive.probes.look import Observed


@pytest.fixture
def probes(monkeypatch):
    """Make probes: name -> what `observe` does; returns what was called, in order."""
    called = []

    def make(name, answer, waits=None, expect=None):
        module = ModuleType(f"golive.probes.{name}")

        def observe(ask, _look):
            called.append((name, ask["n"]))
            return answer(ask)

        module.observe = observe
        if waits is not None:
            module.WAITS = waits
        if expect is not None:
            module.expect = expect
        monkeypatch.setitem(sys.modules, module.__name__, module)

    make.called = called
    return make


def plan(*probes, deadline_s=20.0):
    return {"host": "bot", "rehearsal": True, "deadline_s": deadline_s, "nonce": "n",
            "probes": [{"id": str(number), "probe": name, "subject": "bot", "deadline_s": 10.0, "ask": {"n": number}}
                       for number, name in enumerate(probes)]}


def test_what_waits_is_asked_last_and_answered_in_the_order_of_the_plan(probes):
    probes("slow", lambda ask: Observed({"n": ask["n"]}), waits=True)
    probes("quick", lambda ask: Observed({"n": ask["n"]}))
    answers = runner.observe_all(plan("slow", "quick", "slow", "quick"), {})
    assert [(one["id"], one["facts"]["n"]) for one in answers] == [("0", 0), ("1", 1), ("2", 2), ("3", 3)]
    assert probes.called == [("quick", 1), ("quick", 3), ("slow", 0), ("slow", 2)]


def test_a_probe_learns_all_its_questions_before_the_first_is_asked(probes):
    learned = []

    def expect(asks, host):
        assert probes.called == []
        learned.append((host, [ask["n"] for ask in asks]))

    probes("other", lambda _ask: Observed({}))
    probes("one", lambda _ask: Observed({}), expect=expect)
    runner.observe_all(plan("other", "one", "other", "one"), {})
    assert learned == [("bot", [1, 3])]


def test_a_probe_that_cannot_learn_its_questions_is_asked_all_the_same(probes):
    def expect(_asks, _host):
        raise ValueError("what a secret could be in")

    probes("one", lambda _ask: Observed({"seen": True}), expect=expect)
    (answer,) = runner.observe_all(plan("one"), {})
    assert answer["facts"] == {"seen": True}


def test_a_probe_that_is_not_there_or_fails_leaves_the_others_their_answers(probes):
    def fails(_ask):
        raise ValueError("what a secret could be in")

    probes("bad", fails)
    probes("good", lambda _ask: Observed({"seen": True}))
    bad, missing, good = runner.observe_all(plan("bad", "no_such_probe", "good"), {})
    assert bad["undecided"].startswith("the probe failed: ValueError")
    assert "secret" not in bad["undecided"]
    assert missing["undecided"].startswith("the probe failed: ModuleNotFoundError")
    assert (good["undecided"], good["facts"]) == (None, {"seen": True})


def test_without_time_every_question_still_has_an_answer(probes):
    probes("good", lambda _ask: Observed({}))
    answers = runner.observe_all(plan("good", "good", deadline_s=0.0), {})
    assert [one["undecided"] for one in answers] == ["there was no time left on bot to look"] * 2
