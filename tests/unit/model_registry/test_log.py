"""The log of approvals: every edit, removal, reordering and cut is seen, and the history replays to the present pointer."""
from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from golive import audit
from golive.model_registry import history, names

from tests.fixtures import models as m


@pytest.fixture
def lived(any_world: m.World) -> m.World:
    """A registry with two promotions and a rollback, on each kind of store."""
    world = any_world
    first, second = world.signed(0), world.signed(1)
    world.must("approve", **first)
    world.must("approve", **second)
    world.must("rollback", reason="x", away_from=second["candidate"])
    return world


def rewrite(world: m.World, change: Callable[[list[bytes]], list[bytes]]) -> None:
    world.put_log(change(world.log_lines()))


def edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0].replace(b'"actor":"anna"', b'"actor":"carl"'), *lines[1:]]


def forged(lines: list[bytes]) -> list[bytes]:
    """A line whose hash was made to fit: the next one gives it away."""
    line = json.loads(edited(lines)[0])
    line["hash"] = audit.line_hash(line)
    return [audit.canonical.encode(line) + b"\n", *lines[1:]]


@pytest.mark.parametrize("change", [edited, forged, lambda lines: lines[1:], lambda lines: [lines[0], lines[2]],
                                    lambda lines: [lines[1], lines[0], lines[2]], lambda lines: [*lines, lines[-1]],
                                    lambda lines: [*lines[:-1], lines[-1][:-20]]],
                         ids=["edited", "forged", "first gone", "middle gone", "reordered", "doubled", "half a line"])
def test_what_was_done_to_the_log_is_seen(lived: m.World, change: Callable[[list[bytes]], list[bytes]]) -> None:
    assert lived.must("verify")["problems"] == []
    rewrite(lived, change)
    assert lived.do("verify")["code"] == "verify"


def test_a_cut_end_is_seen_by_the_pointer_and_by_a_carried_head(lived: m.World) -> None:
    head = lived.must("verify")["facts"]["head"]
    rewrite(lived, lambda lines: lines[:-1])
    assert any("POINTER" in one for one in lived.do("verify")["problems"])
    line = json.loads(lived.log_lines()[-1])
    lived.put_raw(history.encode(line["detail"]["pointer"]), "models", names.POINTER)      # whoever cuts the log moves the pointer as well
    assert lived.must("verify")["problems"] == []
    assert "cut off" in lived.do("verify", heads=[head])["msg"]


def test_the_whole_history_replays_to_the_present_pointer(lived: m.World) -> None:
    lines = [json.loads(one) for one in lived.log_lines()]
    replayed = history.replay(lines)
    assert replayed.problems == []
    assert replayed.pointer == lived.raw("models", names.POINTER)
    assert [one.act for one in replayed.steps] == [history.PROMOTE, history.PROMOTE, history.ROLLBACK]


def test_every_approval_can_be_verified_for_ever(lived: m.World) -> None:
    verified = lived.must("verify", every_signature=True)
    assert verified["facts"]["approvals_checked"] == 2
    lines = [json.loads(one) for one in lived.log_lines()]
    lines[0]["detail"]["approval"]["signatures"] = lines[1]["detail"]["approval"]["signatures"]
    prev = audit.GENESIS
    for line in lines:      # somebody with the right to write rewrites the chain as a whole
        line["prev"] = prev
        prev = line["hash"] = audit.line_hash(line)
    rewrite(lived, lambda _old: [audit.canonical.encode(line) + b"\n" for line in lines])
    assert any("APPROVAL" in one for one in lived.do("verify", every_signature=True)["problems"])


def test_a_line_that_rolls_back_to_what_was_never_approved_is_seen(lived: m.World) -> None:
    lines = [json.loads(one) for one in lived.log_lines()]
    lines[2]["detail"]["pointer"]["digest"] = "sha256:" + "e" * 64
    assert any("not approved" in one for one in history.replay(lines).problems)


def test_only_the_owner_of_the_log_appends_to_it(world: m.World) -> None:
    world.must("approve", **world.signed(0))
    (world.root / "models" / names.LOG).chmod(0o666)
    before = world.pointer()
    refused = world.do("approve", **world.signed(2))
    assert "may be written by others" in refused["msg"]
    assert world.pointer() == before
