"""Alert rules against the profile: there, the same number, alive, and proven to fire and to stay quiet."""

from __future__ import annotations

import re
from urllib.parse import parse_qs

import pytest
from golive.errors import Undecided
from golive.probes.alert_rule import FACTS, observe

from .fake_look import FakeLook, response

MEMORY = {"name": "MemoryHigh", "series": 'rss{job="bot"}', "operator": ">", "threshold": 500, "severity": "high"}
DISK = {"name": "DiskLow", "series": "free", "operator": "<", "threshold": 0.2, "severity": "high"}


def loaded(name="MemoryHigh", query='rss{job="bot"} > 500', health="ok", error="", state="inactive"):
    return {"name": name, "query": query, "health": health, "lastError": error, "state": state, "type": "alerting"}


def prometheus(*rules, series=("rss", "free"), broken=False):
    """Evaluates `vector(x) op y` as Prometheus does; a series answers if it is one of `series`."""

    def query(_url, data):
        text = parse_qs(data.decode())["query"][0]
        trial = re.fullmatch(r"vector\((.+?)\) (\S+) (.+)", text)
        if trial:
            left, right = float(trial[1]), float(trial[3])
            true = {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[trial[2]] and not broken
        else:
            true = text.startswith(series)
        return {"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "1"]}] if true else []}}

    rules_answer = {"status": "success", "data": {"groups": [{"name": "g", "rules": list(rules)}]}}
    return FakeLook({"/api/v1/rules": rules_answer, "/api/v1/query": query})


def facts(*thresholds, look):
    return observe({"url": "http://x:9090", "thresholds": list(thresholds)}, look).facts


def bad(seen):
    return sorted(name for name in ("missing", "different", "unhealthy", "without_series", "not_firing", "not_quiet") if seen[name])


def test_a_rule_with_the_profiles_number_is_good():
    seen = facts(MEMORY, DISK, look=prometheus(loaded(), loaded("DiskLow", "free < 0.2")))
    assert bad(seen) == []
    assert seen["rules"] == 2
    assert set(seen) <= set(FACTS)


def test_a_removed_rule_is_missing():
    assert facts(MEMORY, look=prometheus())["missing"] == ["MemoryHigh"]


@pytest.mark.parametrize("query", ['rss{job="bot"} > 600', 'rss{job="bot"} >= 500', 'rss{job="bot"} < 500', 'rss{job="bot"}'])
def test_another_number_or_operator_is_different(query):
    assert "different" in bad(facts(MEMORY, look=prometheus(loaded(query=query))))


def test_the_same_number_in_another_spelling_is_the_same():
    assert bad(facts(MEMORY, look=prometheus(loaded(query='rss{job="bot"} > 5e+02')))) == []


def test_a_rule_whose_series_does_not_exist_can_never_fire():
    assert bad(facts(MEMORY, look=prometheus(loaded(), series=("other",)))) == ["without_series"]


def test_a_rule_that_stays_quiet_beyond_its_number_is_told():
    assert bad(facts(MEMORY, look=prometheus(loaded(), broken=True))) == ["not_firing"]


def test_an_unhealthy_rule_is_told_with_prometheus_own_words():
    assert facts(MEMORY, look=prometheus(loaded(health="err", error="many-to-many")))["unhealthy"] == ["MemoryHigh: many-to-many"]


def test_a_rule_that_fires_now_is_named():
    assert facts(MEMORY, look=prometheus(loaded(state="firing")))["firing"] == ["MemoryHigh"]


def test_a_threshold_of_zero_is_tried_around_zero():
    rule = {"name": "Down", "series": "free", "operator": ">", "threshold": 0}
    assert bad(facts(rule, look=prometheus(loaded("Down", "free > 0")))) == []


def test_only_the_named_rules_are_judged():
    seen = observe({"url": "http://x", "thresholds": [MEMORY, DISK], "names": ["DiskLow"]}, prometheus(loaded("DiskLow", "free < 0.2")))
    assert bad(seen.facts) == []
    assert seen.opportunities == 1


@pytest.mark.parametrize("answer", [b"", b"[]", {"status": "error"}, response({"status": "success"}, status=500)])
def test_a_prometheus_that_does_not_answer_is_undecided(answer):
    with pytest.raises(Undecided):
        facts(MEMORY, look=FakeLook({"/api/": answer}))


@pytest.mark.parametrize(
    "threshold", [{"name": "x"}, {**MEMORY, "threshold": "much"}, {**MEMORY, "operator": "=="}, {**MEMORY, "threshold": True}]
)
def test_a_threshold_that_means_nothing_is_undecided(threshold):
    with pytest.raises(Undecided):
        facts(threshold, look=prometheus(loaded()))


@pytest.mark.parametrize("ask", [{"thresholds": []}, {"thresholds": [MEMORY], "names": ["Nobody"]}])
def test_a_question_without_a_rule_is_undecided(ask):
    with pytest.raises(Undecided):
        observe({"url": "http://x", **ask}, prometheus(loaded()))
