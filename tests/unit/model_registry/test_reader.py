"""A reader that polls all the time, and two promoters at once: nobody ever sees a missing, partial or mixed state."""
from __future__ import annotations

import json
import multiprocessing
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import canonical

from tests.fixtures import models as m

ROUNDS, FULL = 10, 500      # a promotion and a rollback each; the record is of 500, which are 1,000 moves


def _read(root: str, stop: Any, out: Any) -> None:
    """Poll as fast as it goes (well over 1,000 times a second); report what was ever wrong."""
    models, count, wrong, seen, began = Path(root) / "models", 0, [], set(), time.monotonic()
    while not stop.is_set() and not wrong:
        try:
            pointer = json.loads((models / "approved_model.json").read_bytes())
            for one in pointer["files"]:
                data = (models / one["path"]).read_bytes()
                if len(data) != one["size"] or canonical.digest(data) != one["sha256"]:
                    wrong.append("mixed")
            seen.add(pointer["digest"])
        except (OSError, ValueError, KeyError) as exc:
            wrong.append(repr(exc))
        count += 1
    out.put({"polls": count, "wrong": wrong, "models": len(seen), "seconds": round(time.monotonic() - began, 3)})


def watched(world: m.World, rounds: int) -> dict[str, Any]:
    """Promote and roll back so many times while a process of its own polls; return what it saw."""
    first, second = world.signed(0), world.signed(1)
    world.must("approve", **first)
    context = multiprocessing.get_context("fork")
    stop, out = context.Event(), context.Queue()
    reader = context.Process(target=_read, args=(str(world.root), stop, out))
    reader.start()
    try:
        for number in range(rounds):
            folder = m.approve(world.place / f"again-{number}", second["candidate"], second["validation"],
                               issued=m.NIGHT - timedelta(hours=2) + timedelta(seconds=number))
            world.must("approve", **{**second, "approvals": str(folder)})
            world.must("rollback", reason="to and fro", away_from=second["candidate"])
    finally:
        stop.set()
        seen: dict[str, Any] = out.get(timeout=60)
        reader.join(60)
    return {**seen, "moves": world.must("verify")["facts"]["moves"] - 1}


def test_a_reader_never_sees_anything_but_a_whole_model(world: m.World, request: pytest.FixtureRequest) -> None:
    rounds = FULL if request.config.getoption("--full") else ROUNDS
    seen = watched(world, rounds)
    assert (seen["wrong"], seen["models"], seen["moves"]) == ([], 2, 2 * rounds)
    assert seen["polls"] > seen["moves"]


def _promote(place: str, given: dict[str, Any], out: Any) -> None:
    world = m.World.__new__(m.World)
    world.place, world.store, world.now, world.base = Path(place), None, m.NIGHT, Path(place) / "artifacts"
    world.root = world.base / m.SCOPE
    result = world.do("approve", **given)
    out.put((result.get("code"), bool(result["changes"])))


@pytest.mark.parametrize("same", [True, False])
def test_two_promoters_at_once_come_one_after_the_other(world: m.World, same: bool) -> None:
    first = world.signed(0)
    other = first if same else world.signed(1)
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    both = [context.Process(target=_promote, args=(str(world.place), given, out)) for given in (first, other)]
    for one in both:
        one.start()
    results = [out.get(timeout=120) for _one in both]
    for one in both:
        one.join(60)
    assert [code for code, _changed in results] == [None, None]
    assert sum(changed for _code, changed in results) == (1 if same else 2)
    verified = world.must("verify")
    assert verified["problems"] == []
    assert verified["facts"]["moves"] == (1 if same else 2)


def test_who_waits_too_long_is_told(world: m.World) -> None:
    import fcntl

    given = world.signed(0)
    with (world.root / "models/.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused = world.do("approve", **given, wait_s=0.1)
    assert refused["code"] == "busy"
    world.must("approve", **given)
