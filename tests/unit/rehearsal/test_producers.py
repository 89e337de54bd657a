"""Every record that a control reads is made by somebody: no line of the list waits for a drill that nobody wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from golive.rehearsal import producers
from golive.rehearsal.drills import catalogue as hosts

ROOT = Path(__file__).resolve().parents[3]
ASKED = producers.asked(ROOT / "controls")
CALLS = producers.playbooks(ROOT)


@pytest.mark.parametrize("record", [one for one in ASKED if one.kind != "statement"], ids=lambda one: f"{one.kind}-{one.name}")
def test_the_record_has_an_action_and_a_playbook_that_calls_it(record: producers.Record) -> None:
    assert producers.action(record) is not None
    assert producers.called_in(record, CALLS)


def test_a_record_that_nobody_makes_is_seen() -> None:
    nobody = producers.Record("drill", "made_up", ("a.b",), ("verify",))
    assert producers.action(nobody) is None
    assert producers.called_in(nobody, CALLS) == []


def test_a_playbook_that_names_other_drills_does_not_count() -> None:
    record = producers.Record("drill", "restore", ("a.b",), ("signoff",))
    assert producers.called_in(record, {"drill": [("x.yml", {"names": ["stays_off"]})]}) == []


def test_every_drill_on_the_hosts_is_asked_for() -> None:
    assert set(hosts.DRILLS) == {one.name for one in ASKED if producers.action(one) == "drill"}


def test_the_page_holds_the_table_of_today() -> None:
    text = (ROOT / "docs/how-to/drills.md").read_text("utf-8")
    assert producers.page(text, producers.table(ROOT)) == text, "run python -m golive.rehearsal.producers"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        producers.page("nothing", "rows")


def test_a_drill_is_named_by_one_playbook_only() -> None:
    named = [name for path in (ROOT / "playbooks/drills").glob("*.yml") for play in yaml.safe_load(path.read_text("utf-8"))
             for task in play.get("tasks", []) for name in (task.get("drill") or {}).get("names", [])]  # fmt: skip
    assert sorted(named) == sorted(hosts.DRILLS)
