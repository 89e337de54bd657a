"""`python -m tests.faults.journeys.predicted`: what a dry run predicts is what the real run does, from start states drawn by seed.

Start states: bare hosts and half built ones, which the crash campaign leaves (it predicts before some of its runs and keeps what it found
beside the lab's keys), the lab as it is, and with managed objects changed behind golive's back (`--drifted`). From each: `--check` has no
failed task and changes no byte on any host; then the real run makes exactly the predicted set of (host, object, op), as far as it came: to
the next crash, to a gate that closed, or to its end.
"""
from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from golive.canonical import utc
from golive.rundir import write_atomic
from golive.session import ROOT

from ..harness import bound
from ..harness.lab import INVENTORY, Lab
from ..mutate import drifting, hosts
from ..mutate.hosts import Ground, Mutation
from . import driving, state, untouched

RECORD = ROOT / "tests/records/prediction_campaign.json"
MAKERS = (hosts.managed_file, hosts.managed_file, hosts.managed_directory, hosts.managed_link, hosts.unit_state, hosts.account)
Name = tuple[str, str, str]


def drawn(seed: str, state_: int, size: int, place: Ground, makers: Sequence[hosts.Maker] = MAKERS) -> list[Mutation]:
    """Return the mutations of a drifted start state: none of them undoes another."""
    found: list[Mutation] = []
    number = 0
    while len(found) < size and number < size * 20:
        rng = random.Random(f"{seed}:{state_}:{number}")
        one = rng.choice(makers)(100_000 + 1000 * state_ + number, rng, place)
        # Where something of another kind lies in a file's place, golive names it, changes nothing and leaves it to a person.
        if one.family != "file link" and not any(one.collides(other) for other in found):
            found.append(one)
        number += 1
    return found


def names(ended: driving.Ended, until: int | None = None) -> set[Name]:
    """Return the (host, object, op) of a run, of all its records or of the first ones."""
    return {(one["host"], one["object"], one["op"]) for one in ended.changes(until)}


def came_to(ended: driving.Ended) -> int | None:
    """Return the number of the task at which a run ended: its crash, or the gate that closed; None for one that came to its end."""
    if ended.code == 0:
        return None
    gates = [one["number"] for one in ended.boundaries if one["task"] == "Gate"]
    return ended.tasks if ended.code < 0 else gates[-1] if gates else 0


def place_in(check: driving.Ended, real: driving.Ended, number: int) -> tuple[int, int]:
    """Return between which tasks of the dry run a task of the real run lies: the last one before it that both have, and itself.

    A task is known by its play, its name and which occurrence it is. One that the dry run never came to (a drill, say) lies between the
    last before and the first behind it that both have; where none follows, the second number is one beyond the end.
    """
    places = real.places()
    there = {place: at for at, place in _numbered(check.places()).items()}
    common = {at: there[place] for at, place in _numbered(places).items() if place in there}
    if number in common:
        return common[number], common[number]
    before = [common[at] for at in common if at < number]
    behind = [common[at] for at in common if at > number]
    return max(before, default=0), min(behind, default=check.tasks + 1)


def _numbered(places: Sequence[tuple[str, str]]) -> dict[int, tuple[str, str, int]]:
    return {at: (*one, places[:at].count(one)) for at, one in enumerate(places, 1)}


def compare(world: Lab, what: str, run: Callable[[], driving.Ended] = driving.journey) -> tuple[dict[str, Any], driving.Ended]:
    """Predict, look whether anything was changed by that, do it, compare; returns the row and the real run."""
    objects = state.managed(world)
    before = state.look(world, objects)
    untouched.mark(world)
    check = driving.journey("--check", "--diff")
    written = untouched.written(world)
    touched = state.different(before, state.look(world, objects))
    real = run()
    end = came_to(real)
    everything, done = names(check), names(real)
    if end is None:
        must, may = everything, everything
    else:  # what the task in which it ended had done by then is known to be predicted, and no more
        at, until = place_in(check, real, end) if end else (0, 0)
        must, may = names(check, check.recorded_by(at)), names(check, check.recorded_by(until + 1) if until < check.tasks else None)
    row = {"start": what, "predicted in all": len(everything), "ended at task": end, "of tasks": check.tasks,
           "predicted": len(must), "done": len(done),
           "not done": sorted(" ".join(one) for one in must - done), "not predicted": sorted(" ".join(one) for one in done - may),
           "check exit": check.code, "check failed": check.failed(), "managed objects changed by the check": touched,
           "files written during the check": written, "real exit": real.code, "real failed": real.failed() if real.code > 0 else [],
           "runs": [check.run.run, real.run.run], "took_s": round(check.took_s + real.took_s, 1)}
    print(json.dumps(row), flush=True)
    return row, real


def good(row: dict[str, Any]) -> bool:
    """Return whether a row shows a true prediction."""
    return not (row["not done"] or row["not predicted"] or row["check exit"] or row["check failed"]
                or row["managed objects changed by the check"] or untouched.counted(row["files written during the check"]))


def write(kept: dict[str, Any]) -> None:
    """Write the record."""
    rows = kept["rows"]
    figures = {"start states": len(rows), "of them bare": sum(row["start"] == "bare" for row in rows),
               "of them half built": sum("half built" in row["start"] for row in rows),
               "of them drifted": sum(row["start"].startswith("drifted") for row in rows),
               "of them built": sum(row["start"] == "built" for row in rows),
               "boundaries of tasks in a journey": max(row["of tasks"] for row in rows),
               "changes predicted": sum(row["predicted"] for row in rows), "changes done": sum(row["done"] for row in rows),
               "predicted and not done": sum(len(row["not done"]) for row in rows),
               "done and not predicted": sum(len(row["not predicted"]) for row in rows),
               "failed tasks of a dry run": sum(len(row["check failed"]) + bool(row["check exit"]) for row in rows),
               "managed objects that a dry run changed": sum(len(row["managed objects changed by the check"]) for row in rows),
               "files written on hosts during a dry run":
                   sum(len(untouched.counted(row["files written during the check"])) for row in rows),
               "of those that are excluded, each with its reason":
                   sum(len(row["files written during the check"]) - len(untouched.counted(row["files written during the check"]))
                       for row in rows),
               "states with a true prediction": sum(map(good, rows)), "seed": kept["seed"]}
    body = {"title": "Predictions", "at": utc(), "bound": kept["bound"], "whole": bool(kept.get("whole")),
            "figures": figures, "rows": rows, "excluded": dict(untouched.EXCLUDED),
            "about": "From each start state: a dry run, the real run, and both sets of (host, object, op) compared as far as the real "
                     "run came: a half built state is left by a crash, so the run into it is compared up to the task in which it ended. "
                     "Files written during a dry run are those of every file system of every host; what is left out stands in the "
                     "record with its reason.",
            "notes": [*(f"{row['start']}: {word} {one}" for row in rows
                        for word in ("not done", "not predicted", "check failed", "managed objects changed by the check")
                        for one in row[word][:10]),
                      *(f"{row['start']}: written during a dry run: {one}" for row in rows
                        for one in untouched.counted(row["files written during the check"])[:10]),
                      *(f"left out: `{pattern}`: {why}" for pattern, why in untouched.EXCLUDED.items())]}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)


def drift_away(world: Lab, seed: str, number: int, size: int) -> dict[str, Any]:
    """Change managed objects and return the row of this start state."""
    made = [one for one in drawn(seed, number, size, drifting.ground(world)) if not drifting.apply(world, one, one.do)]
    row, _ = compare(world, f"drifted {number}: {len(made)} objects")
    for host in {one.host for one in made}:
        world.on(host, f"rm -rf {hosts.KEPT}", check=False)
    return {**row, "mutations": [f"{one.host} {one.what}" for one in made]}


def kept_at(world: Lab, seed: str) -> tuple[Path, dict[str, Any]]:
    """Return where rows are kept beside the lab's keys, and those that were made with the code as it is and this seed."""
    place = INVENTORY.parent / "lab" / f"{world.lab}.predictions.json"
    kept: dict[str, Any] = json.loads(place.read_text()) if place.is_file() else {}
    wanted = {"bound": bound.now("prediction_campaign"), "seed": seed}
    return place, kept if {name: kept.get(name) for name in wanted} == wanted else {**wanted, "rows": []}


def keep(world: Lab, seed: str, row: dict[str, Any]) -> dict[str, Any]:
    """Keep one more row, and return all."""
    place, kept = kept_at(world, seed)
    kept["rows"] = [one for one in kept["rows"] if one["start"] != row["start"]] + [row]
    write_atomic(place, json.dumps(kept).encode(), 0o600)
    return kept


def main() -> int:
    """Run what the crash campaign does not; 2 when a prediction was not true."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.journeys.predicted", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--drifted", type=int, default=1)
    parser.add_argument("--size", type=int, default=15, help="objects changed for a drifted start state")
    parser.add_argument("--as-it-is", metavar="WORDS", help="only from the lab as it is now, whose state these words describe")
    options = parser.parse_args()
    world = Lab()
    driving.OUTPUTS = INVENTORY.parent / "lab" / f"{world.lab}.outputs"
    if options.as_it_is:
        row, _ = compare(world, options.as_it_is, lambda: driving.journey("-vvvv", "--diff"))
        write(keep(world, options.seed, row))
        return 0 if good(row) else 2
    kept = kept_at(world, options.seed)[1]
    if not any(row["start"] == "built" for row in kept["rows"]):
        if driving.newest().code != 0:
            driving.to_its_end()
        kept = keep(world, options.seed, compare(Lab(), "built")[0])
        write(kept)
    for number in range(options.drifted):
        if not any(row["start"].startswith(f"drifted {number}:") for row in kept["rows"]):
            kept = keep(world, options.seed, drift_away(world, options.seed, number, options.size))
            write(kept)
    write({**kept, "whole": any("half built" in row["start"] or row["start"] == "bare" for row in kept["rows"])})
    world.close()
    return 0 if all(map(good, kept["rows"])) else 2


if __name__ == "__main__":
    sys.exit(main())
