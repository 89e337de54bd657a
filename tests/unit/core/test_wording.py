"""Values and expectations in a person's words."""
from __future__ import annotations

from typing import Any

import pytest
from golive import wording


@pytest.mark.parametrize(("value", "words"), [(True, "yes"), (False, "no"), ([], "nothing"), ([True, 2], "yes, 2"), (None, "no value"),
                                              (5, 5), ("5", "5")])
def test_values(value: Any, words: Any) -> None:
    assert wording.said(value) == words


@pytest.mark.parametrize(("tests", "words"), [
    ({"eq": False}, "no"), ({"len": {"eq": 0}}, "nothing"), ({"len": 0}, "nothing"), ({"all": {"lt": 10}}, "each < 10"),
    ({"only": ["read", "trade"]}, "nothing but read, trade"), ({"ge": "$hours", "lt": 9}, ">= $hours and < 9"), (True, "yes"),
    ({"unknown": 1}, "{'unknown': 1}")])
def test_expectations(tests: Any, words: str) -> None:
    assert wording.wanted(tests) == words
