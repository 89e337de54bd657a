"""A dry run tells a host that would be put back to what was signed from one that would get another release or configuration."""
from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import canonical, put_back
from golive.arm_action import _changes, _put_back
from golive.rundir import append_line

from tests.fixtures import people as p

SIGNED = p.make_ticket()
NAME = SIGNED["release"]["artifact"].partition(":")[2]
DRAFTED = canonical.parse_utc(SIGNED["not_before"]) + put_back.EARLIER
WROTE = "0640 root:bot sha256:" + "c" * 64
OTHER = "0640 root:bot sha256:" + "d" * 64
LINK = {"object": put_back.LINK, "op": "create", "before": None, "after": f"-> releases/{NAME}"}
RELEASE = {"object": put_back.RELEASES + NAME, "op": "update", "before": "sha256:0", "after": SIGNED["release"]["tree"]}
CONFIG = {"object": put_back.CONFIG, "op": "update", "before": OTHER, "after": WROTE}


def ran(reports: Path, run: str, after: str, earlier: timedelta, host: str = "bot", check: bool = False) -> None:
    append_line(reports / run / "changes.jsonl", {"host": host, "object": put_back.CONFIG, "op": "update", "after": after, "check": check,
                                                  "at": canonical.utc(DRAFTED - earlier)})


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """The records of three runs: the one that wrote what was signed, one before it, and one behind the draft."""
    for run, after, earlier in (("1", OTHER, 60), ("2", WROTE, 30), ("3", OTHER, -600)):
        (tmp_path / run).mkdir()
        ran(tmp_path, run, after, timedelta(seconds=earlier))
    return tmp_path


def test_link_release_and_configuration_that_end_as_signed_are_put_back(reports: Path) -> None:
    for changes in ([LINK], [RELEASE], [CONFIG], [LINK, RELEASE, CONFIG]):
        assert put_back.as_signed(changes, SIGNED, reports, "bot")


@pytest.mark.parametrize("changes", [
    [{**LINK, "after": "-> releases/" + "9" * 64}], [{**LINK, "op": "delete", "after": None}],
    [{**CONFIG, "after": OTHER}], [LINK, {**CONFIG, "after": OTHER}],
    [{**RELEASE, "after": "sha256:" + "9" * 64}], [{**RELEASE, "object": put_back.RELEASES + "9" * 64}],
    [LINK, {"object": put_back.RELEASES + "9" * 64, "op": "create", "after": "sha256:1"}]])
def test_one_that_ends_elsewhere_makes_another_ticket(changes: list[dict[str, Any]], reports: Path) -> None:
    assert not put_back.as_signed(changes, SIGNED, reports, "bot")


def test_a_configuration_of_which_no_record_tells_what_was_written_is_not_known_to_be_put_back(reports: Path, tmp_path: Path) -> None:
    assert not put_back.as_signed([CONFIG], SIGNED, reports, "other")
    (tmp_path / "none").mkdir()
    assert not put_back.as_signed([CONFIG], SIGNED, tmp_path / "none", "bot")


def test_what_a_dry_run_predicted_was_not_written(reports: Path) -> None:
    ran(reports, "2", OTHER, timedelta(seconds=10), check=True)
    assert put_back.as_signed([CONFIG], SIGNED, reports, "bot")
    ran(reports, "2", OTHER, timedelta(seconds=10))
    assert not put_back.as_signed([CONFIG], SIGNED, reports, "bot")


def test_only_what_a_ticket_names_is_of_its_subject() -> None:
    others = [{"object": name} for name in ("file:/etc/bot/wire.json", "link:/opt/bot/previous", "unit:bot-live.service")]
    assert put_back.of_subject([*others, LINK, RELEASE, CONFIG]) == [LINK, RELEASE, CONFIG]


@pytest.mark.parametrize(("code", "ops"), [("changed_subject", []), ("voided", ["update"]), ("signatures", ["update"]), (None, ["update"])])
def test_arming_foresees_a_ticket_in_force_again_only_where_its_subject_alone_was_against_it(code: str | None, ops: list[str]) -> None:
    found = {"show": {"state": "refused", "code": code, "digest": "d"}, "key_fingerprint": SIGNED["key_fingerprint"]}
    assert [one[1] for one in _changes(_put_back(found), "d", SIGNED)] == ops
