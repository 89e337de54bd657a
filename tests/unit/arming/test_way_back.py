"""Behind a kill nothing is armed before the ledger was held against the venue, the cause is signed, and who is alone has paused."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from golive import canonical, way_back
from golive.envelope import Envelope
from golive.way_back import Kill

KILLED = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
NOW = KILLED + timedelta(hours=1)
EPOCH = int(KILLED.timestamp())


def line(seq: int, act: str, at: datetime, host: str = "bot", **detail: Any) -> dict[str, Any]:
    return {"seq": seq, "act": act, "at": canonical.utc(at), "subject": host, "detail": detail}


EARLIER = KILLED - timedelta(hours=1)
ARMED = [line(1, "arm.begin", EARLIER, ticket="t1", epoch=3), line(2, "arm.done", EARLIER, ticket="t1")]


def compared(minutes: float = 10, host: str = "bot", instance: str = "live", equal: bool = True, differences: int = 0) -> dict[str, Any]:
    return line(9, "reconciled", KILLED + timedelta(minutes=minutes), host, instance=instance, equal=equal, differences=differences)


def cause(minutes: float = 20, epoch: int = EPOCH, explained: int = 0) -> Envelope:
    values = {"cause": "a bug", "changed": "the bug is mended", "differences_explained": explained}
    return Envelope("attestation", "x", "s", Kill(epoch, None, 0).subject, KILLED + timedelta(minutes=minutes), NOW + timedelta(days=1),
                    "anna", "operator", {"statement": "kill.cause", "values": values, "audit_head": ""}, 1, ("anna",))


def missing(lines: list[dict[str, Any]], stated: list[Envelope], *, alone: bool = False, now: datetime = NOW, epoch: int = EPOCH) -> str:
    kill = way_back.unanswered([*ARMED, *lines], "bot", epoch, now)
    assert kill is not None
    return " | ".join(way_back.reasons(kill, [*ARMED, *lines], "bot", stated, system="s", alone=alone, pause_s=43200, now=now))


def test_compared_and_explained_it_may_be_armed_again() -> None:
    assert missing([compared()], [cause()]) == ""


@pytest.mark.parametrize(("lines", "stated", "words"), [
    ([], [cause()], "was not held against the venue since: run playbooks/operate/after_kill.yml"),
    ([compared(-1)], [cause()], "was not held against the venue"),
    ([compared(host="other")], [cause()], "was not held against the venue"),
    ([compared(instance="wire")], [cause()], "was not held against the venue"),
    ([compared()], [], "nobody has signed why and what was changed: python -m golive.sign attest kill.cause --system s"),
    ([compared()], [cause(-1)], "nobody has signed"),
    ([compared()], [cause(epoch=EPOCH - 1)], "nobody has signed"),
    ([compared(equal=False, differences=3)], [cause(explained=2)], "differ in 3 points, and the signed cause explains 2")])
def test_each_thing_that_is_missing_is_named(lines: list[dict[str, Any]], stated: list[Envelope], words: str) -> None:
    assert words in missing(lines, stated)


def test_differences_that_are_explained_are_no_obstacle() -> None:
    assert missing([compared(equal=False, differences=3)], [cause(explained=3)]) == ""


@pytest.mark.parametrize(("hours", "paused"), [(1, False), (11.99, False), (12, True)])
def test_who_signs_alone_pauses(hours: float, paused: bool) -> None:
    words = missing([compared()], [cause()], alone=True, now=KILLED + timedelta(hours=hours))
    assert ("pauses until 2026-11-21T22:00:00Z" not in words) is paused
    assert (words == "") is paused


def test_where_the_epoch_is_no_time_the_pause_begins_with_the_comparison() -> None:
    assert "pauses until 2026-11-21T22:10:00Z" in missing([compared()], [cause(epoch=7)], alone=True, epoch=7)


def seen(lines: list[dict[str, Any]], epoch: int = EPOCH) -> Kill | None:
    return way_back.unanswered(lines, "bot", epoch, NOW)


def test_a_kill_is_answered_by_an_arming_of_its_epoch_and_by_nothing_else() -> None:
    again = [line(20, "arm.begin", NOW, ticket="t2", epoch=EPOCH), line(21, "arm.done", NOW, ticket="t2")]
    assert seen([*ARMED, *again]) is None
    assert seen([*ARMED, *again[:1]]) is not None, "an arming that did not end answers nothing"
    assert seen(ARMED) is not None
    assert seen(ARMED, 3) is None, "no kill came"
    assert seen([]) is None, "nothing was ever armed here: a drill"
    assert seen([{**one, "subject": "other"} for one in ARMED]) is None


@pytest.mark.parametrize(("minutes", "killed"), [(-5, False), (5, True)])
def test_disarming_before_the_kill_leaves_nothing_to_answer_and_disarming_behind_it_does_not_help(minutes: float, killed: bool) -> None:
    ended = line(3, "disarm.done", KILLED + timedelta(minutes=minutes), ticket="t1")
    assert (seen([*ARMED, ended]) is not None) is killed
