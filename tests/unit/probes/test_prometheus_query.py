"""What a series did, and above all: what is not there is not good."""

from __future__ import annotations

import pytest
from golive.errors import Undecided
from golive.probes.prometheus_query import ASK, FACTS, observe

from .fake_look import NOW, FakeLook, response

END = NOW.timestamp()


def series(values, step=15.0, labels=None):
    start = END - step * (len(values) - 1)
    return {"metric": labels or {}, "values": [[start + index * step, str(value)] for index, value in enumerate(values)]}


def prometheus(*found, older=()):
    def answer(url, data):
        is_older = (
            b"query_range" in url.encode()
            and b"start=" in (data or b"")
            and older is not None
            and float(dict(pair.split("=") for pair in data.decode().split("&"))["end"]) < END - 1
        )
        return {"status": "success", "data": {"result": list(older) if is_older else list(found)}}

    return FakeLook({"/api/v1/": answer})


def ask(**more):
    return {"url": "http://127.0.0.1:9090", "expr": "ws_connected", "window_s": 150, "step_s": 15, **more}


def test_a_full_window_is_folded():
    seen = observe(ask(), prometheus(series([1] * 9 + [0])))
    assert seen.facts["min"] == 0
    assert seen.facts["max"] == 1
    assert seen.facts["samples"] == seen.opportunities == 10
    assert seen.witness == "bot"
    assert set(seen.facts) <= set(FACTS)


def test_no_sample_is_undecided_and_not_zero():
    with pytest.raises(Undecided, match="no sample"):
        observe(ask(), prometheus())


def test_a_short_history_is_undecided_until_the_window_is_full():
    with pytest.raises(Undecided) as raised:
        observe(ask(), prometheus(series([1, 1, 1])))
    assert raised.value.until == "2026-11-21T12:01:30Z"


def test_a_hole_at_the_start_of_an_old_series_counts_as_hole_and_not_as_youth():
    seen = observe(ask(absent_as_zero=True), prometheus(series([1, 1, 1]), older=[series([1])]))
    assert seen.facts["missing"] == 7
    assert seen.facts["mean"] == pytest.approx(0.3)
    assert seen.facts["min"] == 0


def test_missing_samples_pull_the_mean_down_when_absence_is_zero():
    look = prometheus(series([1] * 8), older=[series([1])])
    assert observe(ask(absent_as_zero=True), look).facts["mean"] == pytest.approx(0.8)
    assert observe(ask(), look).facts["mean"] == 1


def test_a_counter_that_began_anew_still_counts_its_growth():
    seen = observe(ask(), prometheus(series([5, 6, 7, 1, 2, 2, 2, 2, 2, 3])))
    assert seen.facts["increase"] == 5
    assert seen.facts["resets"] == 1


def test_a_ratio_is_growth_over_growth_and_counts_the_calls():
    def answer(url, data):
        name = b"errors" if b"errors" in data else b"calls"
        values = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1] if name == b"errors" else [index * 100 for index in range(10)]
        return {"status": "success", "data": {"result": [series(values)]}}

    seen = observe(ask(expr="errors_total", over="calls_total"), FakeLook({"/api/": answer}))
    assert seen.facts["ratio"] == pytest.approx(1 / 900)
    assert seen.opportunities == 900


def test_a_ratio_of_nothing_is_not_there():
    seen = observe(ask(over="calls_total"), prometheus(series([0] * 10)))
    assert "ratio" not in seen.facts
    assert seen.opportunities == 0


def test_the_worst_of_several_series_counts():
    seen = observe(ask(), prometheus(series([1] * 10), series([0.5] * 10)))
    assert seen.facts["mean"] == 0.5
    assert seen.facts["last"] == 0.5


def test_raw_samples_are_asked_for_so_that_holes_are_not_filled():
    look = prometheus(series([1] * 10))
    observe(ask(instance="wire"), look)
    assert 'ws_connected{instance="wire"}[150000ms]' in look.asked[0]


def test_nan_is_no_sample():
    with pytest.raises(Undecided, match="no sample"):
        observe(ask(), prometheus(series(["NaN"] * 10)))


def test_presence_names_what_is_absent_and_the_age_of_the_oldest():
    look = FakeLook(
        {
            "timestamp(up)": {"status": "success", "data": {"result": [{"value": [END, str(END - 7)]}]}},
            "timestamp(gone)": {"status": "success", "data": {"result": []}},
        }
    )
    facts = observe({"url": "http://x", "present": ["up", "gone"], "step_s": 15}, look).facts
    assert facts["absent"] == ["gone"]
    assert facts["newest_age_s"] == 7


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"<html>",
        b"[]",
        {"status": "error", "error": "parse error"},
        {"status": "success"},
        {"status": "success", "data": {"result": {}}},
        {"status": "success", "data": {"result": [{"values": "no"}]}},
        {"status": "success", "data": {"result": [{"values": [["x"]]}, 7]}},
        response({"status": "success", "data": {"result": []}}, status=503),
        b"{" * 100000,
    ],
)
def test_a_malformed_or_refusing_prometheus_is_undecided(answer):
    with pytest.raises(Undecided):
        observe(ask(), FakeLook({"/api/": answer}))


def test_a_hostile_instance_name_cannot_leave_its_quotes():
    look = prometheus(series([1] * 10))
    observe(ask(instance='x"} or vector(1) #'), look)
    assert look.asked[0].count('"') == 2


def test_the_declared_ask_covers_the_catalogue():
    assert {"url", "step_s"} <= {name for name, text in ASK.items() if "required" in text.split(";")[1]}
