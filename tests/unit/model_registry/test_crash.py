"""A seeded slice of the campaign of crashes every day, and the record of the whole one, which holds for this very code only."""
from __future__ import annotations

import json
import random

import pytest
from golive.model_registry import history

from tests.fixtures import faulty_files as ff
from tests.fixtures import models as m
from tests.unit.model_registry import crash


@pytest.fixture(scope="module")
def record() -> dict[str, object]:
    assert crash.RECORD.is_file(), "no record: python -m tests.unit.model_registry.crash --record"
    return dict(json.loads(crash.RECORD.read_text()))


def test_the_whole_campaign_was_run_on_this_code_and_held(record: dict[str, object]) -> None:
    assert record["code"] == crash.code_digest(), "the code changed: python -m tests.unit.model_registry.crash --record"
    assert record["passed"] is True


def test_the_record_is_of_every_action_and_every_system_call(record: dict[str, object]) -> None:
    cases = record["cases"]
    assert isinstance(cases, dict)
    assert set(cases) == set(crash.NAMES)
    for name, one in cases.items():
        assert one["system_calls"] > 50, name
        assert one["states"] > 4, name
        assert one["killed"] >= 0.97 * one["system_calls"], name      # how often a pipe is read differs by a few from run to run
        assert one["failed"] >= 4 * one["calls"] * 0.95, name


def test_a_reader_polled_a_thousand_times_a_second_during_a_thousand_moves(record: dict[str, object]) -> None:
    seen = record["reader"]
    assert isinstance(seen, dict)
    assert (seen["wrong"], seen["moves"], seen["models"]) == ([], 1_000, 2)
    assert seen["polls"] >= 1_000 * seen["seconds"]


def test_a_slice_of_today_holds(request: pytest.FixtureRequest) -> None:
    """One kill in a hundred of one action a day; with --full every action at every one of its system calls."""
    day, full = int(request.config.getoption("--slice-day")), request.config.getoption("--full")
    today = crash.NAMES if full else tuple(random.Random(day).sample(crash.NAMES, 1))
    found = crash.campaign(1.0 if full else 0.01, day, today)
    assert set(found) == set(today)
    assert all(one["killed"] > 0 for one in found.values())


def test_the_campaign_sees_a_pointer_that_moves_before_its_line(world: m.World, monkeypatch: object) -> None:
    """Break the order once: the campaign must be red, or its green says nothing."""
    from golive.model_registry.registry import Registry

    given = world.signed(0)
    original = Registry._switch

    def pointer_first(self, act, pointer, current, detail, changes):  # type: ignore[no-untyped-def]
        ready = dict(pointer, seq=self.store.head() + 1, at="2026-11-21T03:30:00Z")
        self.store.move(history.encode(ready), current)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Registry, "_switch", pointer_first)  # type: ignore[attr-defined]
    world.do("approve", **given)
    monkeypatch.setattr(Registry, "_switch", original)  # type: ignore[attr-defined]
    assert world.do("verify")["facts"]["unlogged"] == 1
    assert world.do("approve", **given)["code"] == "pointer"


def test_everything_is_on_the_disk_before_what_points_at_it(world: m.World) -> None:
    """The order of the calls: files and folders synced, the folder renamed, its parent synced, the log synced, then the pointer."""
    given = world.signed(0)
    with ff.layer(ff.Layer()) as seen:
        world.must("approve", **given)
    calls = [(name, path.removeprefix(str(world.root) + "/")) for name, path in seen.calls]

    def at(name: str, start: str, last: bool = False) -> int:
        found = [number for number, (call, path) in enumerate(calls) if call == name and path.startswith(start)]
        assert found, (name, start, calls)
        return found[-1] if last else found[0]

    written = {path for name, path in calls if name == "create" and ".staging-" in path}
    assert written <= {path for name, path in calls if name == "fsync"}
    folder_appears = at("rename", "models/.staging-")
    assert at("fsync", "models/.staging-", last=True) < folder_appears
    log_synced, pointer_moves = at("fsync", "models/approvals.jsonl"), at("rename", "models/.next-")
    assert folder_appears < log_synced < at("fsync", "models/.next-") < pointer_moves
    assert [name for name, path in calls[folder_appears:log_synced] if (name, path) == ("fsync", "models")], "the parent was not synced"
    assert ("fsync", "models") in calls[pointer_moves:]
