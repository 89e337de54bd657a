"""The committed record of red proofs: complete, bound to the probes and breaks as they are now, and none of it red or hidden."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from . import proof_page
from .harness import compiled, proofs, registry


@pytest.fixture(scope="module")
def record() -> dict:
    found = proofs.load()
    assert found["proofs"], "there is no record: run make prove"
    return found


def test_every_proof_is_bound_to_probe_and_break_as_they_are(record: dict) -> None:
    lost = {f"{one['control']} by {one['fault']}: {proofs.holds(one)}" for one in record["proofs"] if proofs.holds(one)}
    assert not lost, "run python -m tests.faults.prove: " + "; ".join(sorted(lost))


def test_every_automated_control_is_proven_or_listed_with_its_reason(record: dict) -> None:
    proven = {one["control"] for one in record["proofs"] if one["verdict"] == "fail"}
    listed = {one["control"]: one["reason"] for one in record["unproven"]}
    assert proven | set(listed) == set(compiled.automated())
    assert not proven & set(listed)
    assert all(len(reason) > 20 for reason in listed.values())


def test_every_fault_of_the_catalogue_has_its_file_or_its_controls_are_told_as_unproven_by_it(record: dict) -> None:
    proven = {one["control"] for one in record["proofs"] if one["verdict"] == "fail"}
    listed = {one["control"] for one in record["unproven"]}
    for fault, controls in registry.named_by_catalogue().items():
        assert fault in registry.names() or controls <= listed | proven, f"{fault} has no file"


def test_a_changed_probe_an_old_proof_and_a_changed_break_count_no_more(record: dict) -> None:
    good = record["proofs"][0]
    assert proofs.holds(good) == ""
    assert "probe" in proofs.holds({**good, "probe_digest": "sha256:" + "0" * 64})
    assert "fault" in proofs.holds({**good, "fault_digest": "sha256:" + "0" * 64})
    assert "old" in proofs.holds(good, datetime.now(UTC) + timedelta(days=91))


def test_every_break_turns_a_control_that_exists(record: dict) -> None:
    for name in registry.names():
        for one in registry.trials(name):
            assert one.red, name
            assert set(one.red) | set(one.also) <= set(compiled.controls()), name


def test_the_page_says_what_the_records_say() -> None:
    assert proof_page.PAGE.read_text("utf-8") == proof_page.text(), "run python -m tests.faults.proof_page"
