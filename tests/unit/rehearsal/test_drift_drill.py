"""The drift drill: named is only what was there, on its host, in a look that changed nothing."""

from __future__ import annotations

from typing import Any

import pytest
from golive.rehearsal import drift

NAMED = {"host": "bot", "object": drift.OBJECT, "op": "update", "check": True}


def test_the_named_object_passes() -> None:
    found = drift.judged([NAMED], "bot", there=True)
    assert (found["passed"], found["result"]["named_object"], found["result"]["runs_until_found"]) == (True, True, 1)


@pytest.mark.parametrize(("changes", "there"), [
    ([], True), ([{**NAMED, "host": "venue"}], True), ([{**NAMED, "object": "file:/etc/hosts"}], True),
    ([{**NAMED, "check": False}], True), ([NAMED], False)])  # fmt: skip
def test_everything_else_fails(changes: Any, there: bool) -> None:
    found = drift.judged(changes, "bot", there)
    assert (found["passed"], found["result"]["named_object"]) == (False, False)


def test_a_look_that_found_nothing_says_no_number_of_runs() -> None:
    assert "runs_until_found" not in drift.judged([], "bot", there=True)["result"]


def test_what_else_was_named_stands_in_the_record() -> None:
    found = drift.judged([NAMED, {**NAMED, "object": "file:/etc/hosts"}], "bot", there=True)
    assert found["result"]["others"] == ["bot file:/etc/hosts"]
