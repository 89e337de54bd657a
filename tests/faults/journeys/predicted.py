"""`python -m tests.faults.journeys.predicted`: what a dry run predicts is what the real run does, from start states drawn by seed.

A start state is the lab as it is with a number of managed objects changed behind golive's back (`--drifted N`), or a journey from bare
hosts broken off at a task (`--half N`). From each: `--check` has no failed task and changes nothing that is managed; then the real run
makes exactly the predicted set of (host, object, op); and another `--check` predicts nothing.
"""
from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from typing import Any

from golive.canonical import utc
from golive.rundir import write_atomic
from golive.session import ROOT

from ..harness import bound
from ..harness.lab import Lab
from ..mutate import drifting, hosts
from ..mutate.hosts import Ground, Mutation
from . import crash, driving, state

RECORD = ROOT / "tests/records/prediction_campaign.json"
MAKERS = (hosts.managed_file, hosts.managed_file, hosts.managed_directory, hosts.managed_link, hosts.unit_state, hosts.account)
#: behaves otherwise from one run to the next by its nature, and is told apart in the record
EVIDENCE = "evidence:"


def drawn(seed: str, state_: int, size: int, place: Ground) -> list[Mutation]:
    """Return the mutations of a drifted start state: none of them undoes another."""
    found: list[Mutation] = []
    number = 0
    while len(found) < size and number < size * 20:
        rng = random.Random(f"{seed}:{state_}:{number}")
        one = rng.choice(MAKERS)(100_000 + 1000 * state_ + number, rng, place)
        if not any(one.collides(other) for other in found):
            found.append(one)
        number += 1
    return found


def names(ended: driving.Ended) -> set[tuple[str, str, str]]:
    """Return the (host, object, op) of a run."""
    return {(one["host"], one["object"], one["op"]) for one in ended.changes()}


def compare(world: Lab, what: str) -> dict[str, Any]:
    """Predict, look whether anything managed was changed by that, do it, compare, predict again."""
    objects = state.managed(world)
    before = state.look(world, objects)
    check = driving.journey("--check", "--diff")
    touched = state.different(before, state.look(world, objects))
    real = driving.journey()
    again = driving.journey("--check")
    predicted, done, left = names(check), names(real), names(again)
    lost = sorted(" ".join(one) for one in predicted - done)
    surprise = sorted(" ".join(one) for one in done - predicted)
    closed = real.code != 0
    return {"start": what, "predicted": len(predicted), "done": len(done), "not done": lost, "not predicted": surprise,
            "check exit": check.code, "check failed": check.failed(), "changed by the check": touched, "real exit": real.code,
            "real failed": real.failed(), "gate closed": closed, "predicted afterwards": sorted(" ".join(one) for one in left),
            "runs": [check.run.run, real.run.run, again.run.run], "took_s": round(check.took_s + real.took_s + again.took_s, 1)}


def good(row: dict[str, Any]) -> bool:
    """Return whether a row shows a true prediction. What lies behind a gate that closed in the real run is predicted and not done."""
    missing = [one for one in row["not done"] if not (row["gate closed"] and EVIDENCE in one)]
    return not (missing or row["not predicted"] or row["check exit"] or row["check failed"] or row["changed by the check"])


def write(rows: Sequence[dict[str, Any]], seed: str) -> None:
    """Write the record."""
    figures = {"start states": len(rows), "of them half built": sum(row["start"].startswith("half") for row in rows),
               "changes predicted": sum(row["predicted"] for row in rows), "changes done": sum(row["done"] for row in rows),
               "predicted and not done": sum(len(row["not done"]) for row in rows),
               "done and not predicted": sum(len(row["not predicted"]) for row in rows),
               "failed tasks of a dry run": sum(len(row["check failed"]) for row in rows),
               "managed objects that a dry run changed": sum(len(row["changed by the check"]) for row in rows),
               "states with a true prediction": sum(map(good, rows)), "seed": seed}
    body = {"title": "Predictions", "at": utc(), "bound": bound.now("prediction_campaign"),
            "figures": figures, "rows": list(rows),
            "about": "From each start state: a dry run, the real run, and both sets of (host, object, op) compared. From bare hosts the "
                     "journey's own test compares them (tests/integration/journey).",
            "notes": [f"{row['start']}: {word} {one}" for row in rows for word in ("not done", "not predicted") for one in row[word][:10]]}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)


def main() -> int:
    """Run the campaign; 2 when a prediction was not true."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.journeys.predicted", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--drifted", type=int, default=5)
    parser.add_argument("--half", type=int, default=3)
    parser.add_argument("--size", type=int, default=15, help="objects changed for a drifted start state")
    parser.add_argument("--tasks", type=int, default=230)
    options = parser.parse_args()
    world = Lab()
    rows: list[dict[str, Any]] = []
    for number in range(options.drifted):
        chosen = drawn(options.seed, number, options.size, drifting.ground(world))
        made = [one for one in chosen if not drifting.apply(world, one, one.do)]
        rows.append({**compare(world, f"drifted {number}: {len(made)} objects"), "mutations": [f"{one.host} {one.what}" for one in made]})
        for one in made:
            world.on(one.host, f"rm -rf {hosts.KEPT}", check=False)
        print(json.dumps(rows[-1]), flush=True)
        write(rows, options.seed)
    for number in range(options.half):
        at = random.Random(f"{options.seed}:half:{number}").randrange(5, options.tasks)
        crash.lab("reset", *crash.HOSTS)
        driving.journey(at_task=at, act=driving.kill_all)
        rows.append(compare(Lab(), f"half built, broken off at task {at}"))
        print(json.dumps(rows[-1]), flush=True)
        write(rows, options.seed)
    world.close()
    return 0 if all(map(good, rows)) else 2


if __name__ == "__main__":
    sys.exit(main())
