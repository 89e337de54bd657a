"""A broken, renamed or extended answer never turns into "may not withdraw" without the venue having said so."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime

import pytest
from golive.exchange.model import Refused

from tests.unit.exchange import mutations
from tests.unit.exchange.mutations import Count, at, campaign, places, says_no
from tests.unit.exchange.venue_fixtures import NAMES, fixture, talk

TODAY = datetime.now(UTC).strftime("%Y%m%d")
REQUIRED = 10_000


@pytest.mark.parametrize("name", NAMES)
def test_no_mutation_yields_a_no_that_was_not_said(name: str) -> None:
    count, wrong = campaign(name, TODAY, mutations.SLICE)
    assert wrong == []
    assert count.proves, f"the mutations of seed {TODAY} are too tame to prove anything: {count}"


def test_the_slice_of_every_run_is_as_large_as_the_proof_asks() -> None:
    assert mutations.SLICE * len(NAMES) >= REQUIRED


def test_the_campaigns_record_is_green_and_of_this_code() -> None:
    """Missing, red, too small, or of other code: `python -m tests.unit.exchange.mutations` writes it anew."""
    record = json.loads(mutations.RECORD.read_text())
    counts = {name: Count(**count) for name, count in record["venues"].items()}
    assert record["subject"] == mutations.subject(), "the code changed since: python -m tests.unit.exchange.mutations"
    assert record["passed"] is True
    assert sorted(counts) == NAMES
    assert [name for name, count in counts.items() if not count.proves] == []
    assert sum(count.cases for count in counts.values()) == record["cases"] >= REQUIRED


def test_a_reader_that_takes_silence_for_a_no_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The campaign itself can go red: the very mistake that it looks for, made on purpose."""

    def careless(*given: object) -> object:
        report = talk(*given)  # type: ignore[arg-type]
        return report._replace(rights={name: bool(value) for name, value in report.rights.items()})

    monkeypatch.setattr(mutations, "talk", careless)
    count, wrong = campaign("kraken", mutations.SEED, 300)
    assert count.wrong == len(wrong) > 0
    assert not count.proves


def test_a_reader_that_stumbles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbling(*_given: object) -> object:
        raise KeyError("permissions")

    monkeypatch.setattr(mutations, "talk", stumbling)
    count, _wrong = campaign("kraken", mutations.SEED, 5)
    assert (count.broke, count.proves) == (5, False)


@pytest.mark.parametrize("name", NAMES)
def test_every_single_dropped_place_is_refused_or_harmless(name: str) -> None:
    found = fixture(name)
    for case in found.cases.values():
        for path in places(case["body"]):
            body = copy.deepcopy(case["body"])
            del at(body, list(path[:-1]))[path[-1]]
            try:
                report = talk(found, body)
            except Refused:
                continue
            assert report.rights["withdraw"] is not False or says_no(found, body), path


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_agrees_with_the_documented_cases(name: str) -> None:
    found = fixture(name)
    for case in found.cases.values():
        expect = case["expect"]
        said_no = "withdraw" not in expect["granted"] and "withdraw" not in expect["unknown"]
        assert not said_no or says_no(found, case["body"])
