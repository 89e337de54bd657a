"""The judge would hurt most if it were wrong: a green that is not true costs money."""
from __future__ import annotations

from typing import Any

import pytest
from golive import operators
from golive.errors import GoliveError, Undecided
from golive.judge import judge
from hypothesis import given
from hypothesis import strategies as st


def control(**changes: Any) -> dict[str, Any]:
    return {"expect": {"size": {"lt": 10}}, "witness": ["kernel"], "severity": "high", "min_opportunities": None, **changes}


def seen(**changes: Any) -> dict[str, Any]:
    return {"facts": {"size": 5}, "witness": "kernel", "opportunities": None, "undecided": None, "until": None, **changes}


def test_a_fact_as_wanted_passes() -> None:
    assert judge(control(), seen()).verdict == "pass"


def test_a_wrong_fact_fails_and_the_reason_names_both_sides() -> None:
    result = judge(control(), seen(facts={"size": 12}))
    assert (result.verdict, result.reason) == ("fail", "size is 12, wanted < 10")


@pytest.mark.parametrize(("observation", "word"), [
    (None, "not observed"),
    (seen(facts={}), "not seen"),
    (seen(facts={"size": None}), "not seen"),
    (seen(facts={"size": "many"}), "expected a number"),
    (seen(facts={"size": True}), "expected a number"),
    (seen(facts={"size": [1]}), "expected a number"),
    (seen(facts={"size": float("nan")}), "expected a number"),
    (seen(undecided="the host did not answer"), "did not answer"),
    (seen(witness="bot"), "word of bot"),
    (seen(witness=None), "word of nobody"),
])
def test_what_could_not_be_known_is_undecided_not_pass(observation: Any, word: str) -> None:
    result = judge(control(), observation)
    assert result.verdict == "undecided"
    assert word in result.reason


def test_a_certain_red_is_red_also_where_another_fact_is_missing() -> None:
    both = control(expect={"size": {"lt": 10}, "mode": {"eq": "0600"}})
    assert judge(both, seen(facts={"size": 12})).verdict == "fail"


@pytest.mark.parametrize("count", [None, 0, 99, "x", True])
def test_too_few_opportunities_are_undecided(count: Any) -> None:
    assert judge(control(min_opportunities=100), seen(opportunities=count)).verdict == "undecided"


def test_enough_opportunities_pass() -> None:
    assert judge(control(min_opportunities=100), seen(opportunities=100)).verdict == "pass"


def test_a_critical_control_never_passes_on_the_bots_word_even_if_listed() -> None:
    listed = control(severity="critical", witness=["bot", "venue"])
    assert judge(listed, seen(witness="bot")).verdict == "undecided"
    assert judge(listed, seen(witness="venue")).verdict == "pass"


@pytest.mark.parametrize(("tests", "value", "holds"), [
    ({"eq": 5}, "5.0", True), ({"eq": True}, 1, False), ({"eq": "paper"}, "paper", True), ({"eq": ["a", "b"]}, ["b", "a"], False),
    ({"ne": "live"}, "paper", True), ({"le": 5}, "5.000", True), ({"gt": 0}, "0", False), ({"between": [1, 3]}, 3, True),
    ({"in": ["a", 1]}, "1", True), ({"not_in": ["a"]}, "b", True), ({"contains": ["a", "b"]}, ["b", "c", "a"], True),
    ({"contains": "lo"}, "hello", True), ({"only": ["read", "trade"]}, ["trade"], True),
    ({"only": ["read", "trade"]}, ["trade", "withdraw"], False), ({"matches": "^a.c$"}, "abc", True),
    ({"len": {"ge": 2}}, [1], False), ({"all": {"lt": 10}}, [1, 11], False), ({"any": {"eq": 2}}, [1, 2], True),
    ({"none": {"eq": 2}}, [], True),
])
def test_operators(tests: dict[str, Any], value: Any, holds: bool) -> None:
    assert operators.check_all(value, operators.validate(tests)) is holds


def test_all_over_nothing_is_undecided() -> None:
    with pytest.raises(Undecided, match="nothing to judge"):
        operators.check_all([], {"all": {"lt": 10}})


@pytest.mark.parametrize("tests", [{"less": 1}, {}, {"lt": "soon"}, {"in": "abc"}, {"between": [1]}, {"matches": "("}, {"eq": None},
                                   {"all": {"near": 1}}])
def test_an_expectation_that_cannot_be_judged_is_refused_before_the_run(tests: Any) -> None:
    with pytest.raises(GoliveError):
        operators.validate(tests)


_leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_json = st.recursive(_leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                     max_leaves=6)


@given(facts=st.dictionaries(st.sampled_from(["size", "mode"]), _json), operand=st.integers(-5, 5),
       operator=st.sampled_from(["lt", "le", "gt", "ge", "eq"]))
def test_no_fact_of_any_shape_raises_and_only_a_number_passes(facts: Any, operand: int, operator: str) -> None:
    result = judge(control(expect={"size": {operator: operand}}), seen(facts=facts))
    if result.verdict == "pass":
        assert operators.number(facts["size"]) is not None
