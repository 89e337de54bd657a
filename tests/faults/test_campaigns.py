"""The committed records of the campaigns: there, bound to the code they were made with, and none of them hides what survived.

`make prove` makes them. Of each campaign `make test` runs a sample as well, another one each day where one can be drawn:
red proofs and changed records: test_slice.py (five breaks, ten records, every small lie); crashes and predictions: in miniature,
tests/integration/core/test_sample_of_campaigns.py (a boundary of the day), and from bare lab hosts the journey itself
(tests/integration/journey: predicted set and done set); ways around: tests/integration/core/test_ways_around.py and the tests that
`bypass.TESTED` names; leaks: the journey's outputs and reports, and tests/integration/leaks/test_canaries.py when it is in the day's slice.
"""
from __future__ import annotations

import json
from typing import Any

import pytest
from golive.session import ROOT

from . import bypass
from .harness import bound
from .journeys import campaigns

RECORDS = ROOT / "tests/records"
#: record -> figures that have to be nought
NOUGHT = {
    "drift_campaign": (),
    "mutation_campaign": ("of them judged green", "stayed green", "controls whose wanted facts are not green"),
    "bypass_campaign": ("that armed", "that were not named"),
    "crash_campaign": ("armed twice", "orders sent twice", "tracebacks", "exit of the last", "objects that differ",
                       "crashes behind which the audit chain was not whole"),
    "prediction_campaign": ("done and not predicted", "predicted and not done", "failed tasks of a dry run",
                            "managed objects that a dry run changed", "files written on hosts during a dry run"),
    "leak_campaign": ("leaks", "plants that were not found"),
}


MADE = sorted(set(NOUGHT) - set(bound.NEVER_RUN))


def record(name: str) -> dict[str, Any]:
    path = RECORDS / f"{name}.json"
    assert path.is_file(), f"there is no record {name}: run make prove"
    return dict(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("name", MADE)
def test_a_record_is_there_and_not_red(name: str) -> None:
    figures = record(name)["figures"]
    assert {word: figures[word] for word in NOUGHT[name]} == dict.fromkeys(NOUGHT[name], 0)


@pytest.mark.parametrize("name", MADE)
def test_a_record_is_bound_to_the_code_as_it_is(name: str) -> None:
    assert record(name).get("bound") == bound.now(name), f"what {name} rests on has changed: run make prove"


@pytest.mark.parametrize("name", [one for one in campaigns.APART if one in MADE])
def test_a_campaign_that_takes_the_lab_apart_went_to_its_end(name: str) -> None:
    assert record(name)["whole"] is True


def test_whatever_survived_is_told_on_the_page() -> None:
    page = (ROOT / "docs/explanation/proof.md").read_text("utf-8")
    for name in MADE:
        found = record(name)
        assert f"## {found['title']}" in page
        assert all(f"* {note}" in page for note in found["notes"])


def test_every_way_around_the_gates_was_tried_and_what_tests_try_is_there() -> None:
    assert {one["way"] for one in record("bypass_campaign")["ways"]} == {way.name for way in bypass.WAYS}
    assert bypass.untested() == []


def test_make_prove_runs_every_campaign_that_is_asked_for() -> None:
    assert set(campaigns.CAMPAIGNS) == set(bound.RESTS_ON) == set(NOUGHT)


def test_what_was_never_run_to_its_end_has_no_record_that_says_otherwise() -> None:
    assert [name for name in bound.NEVER_RUN if (RECORDS / f"{name}.json").exists() and record(name).get("whole") is not False] == []
