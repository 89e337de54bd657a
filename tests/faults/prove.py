"""`python -m tests.faults.prove`: try the breaks, write the record of red proofs. Proofs that still hold are not made again.

    --control ID    --subject WORD    --fault NAME    --world controller|lab    --again    --full    --sample N    --seed TEXT    --dry
    --list
"""
from __future__ import annotations

import argparse
import random
import sys
import time
from datetime import UTC, datetime

from . import proof_page
from .harness import compiled, proofs, registry, trial
from .harness.controller import Controller
from .harness.lab import Lab
from .harness.trial import Named, Outcome
from .harness.world import World

WORLDS: dict[str, type[World]] = {"controller": Controller, "lab": Lab}


def chosen(options: argparse.Namespace) -> list[Named]:
    """Return the trials that were asked for and whose proofs do not hold any more."""
    record = proofs.load()
    held = {(one["fault"], one["trial"], one["control"]) for one in record["proofs"] if not proofs.holds(one)}
    found: list[Named] = []
    for name in registry.names():
        for number, fault in enumerate(registry.trials(name)):
            wanted = ((not options.control or options.control in fault.red) and (not options.fault or name in options.fault)
                      and (not options.subject or any(one.split(".")[0] == options.subject for one in fault.red))
                      and (not options.world or fault.world == options.world))
            if wanted and (options.again or any((name, number, control) not in held for control in fault.red)):
                found.append((name, number, fault))
    if options.sample:
        found = random.Random(options.seed).sample(found, min(options.sample, len(found)))
    return sorted(found, key=lambda one: (one[2].world, one[2].order, one[0], one[1]))


def run(todo: list[Named], seed: str, *, full: bool, write: bool) -> list[Outcome]:
    """Try them world by world; the record is written after each trial, so that an interrupted campaign goes on where it was."""
    outcomes: list[Outcome] = []
    for name, make in WORLDS.items():
        mine = [one for one in todo if one[2].world == name]
        if not mine:
            continue
        world = make()
        seen: list[Outcome] = []
        try:

            def told(one: Outcome, seen: list[Outcome] = seen) -> None:
                _tell(one)
                seen.append(one)
                if write:  # what is proven by now; the last one is when the next has seen it healed
                    _write(seen, seed)

            outcomes += trial.chain(world, mine, seed, full=full, told=told)
        finally:
            world.close()
            if write:
                _write(seen, seed)
    return outcomes


def _tell(outcome: Outcome) -> None:
    words = outcome.problem or f"red: {', '.join(outcome.declared.red)}"
    print(f"{'FAILED' if outcome.problem else 'red   '} {outcome.fault}/{outcome.number} ({outcome.took_s:.0f} s) {words}", flush=True)


def _write(outcomes: list[Outcome], seed: str) -> None:
    problems = {control: f"{one.fault}: {one.problem or 'not seen green after healing'}" for one in outcomes
                if one.problem or (one is not outcomes[-1] and not one.healed) for control in one.declared.red}
    with proofs.held():
        record = proofs.load()
        proofs.merge(record, [proof for one in outcomes if one.proven for proof in proofs.of(one, seed)])
        proofs.save(record, problems)


def main() -> int:
    """Run the campaign and say how it ended: 0 all as declared, 2 something did not turn as declared."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.prove", description=(__doc__ or "").splitlines()[0])
    for word in ("control", "subject"):
        parser.add_argument(f"--{word}")
    parser.add_argument("--fault", action="append")
    parser.add_argument("--world", choices=sorted(WORLDS))
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", default=datetime.now(UTC).strftime("%Y%m%d"))
    parser.add_argument("--list", action="store_true", help="try nothing: take out what is lost, say what is unproven, write the page")
    for word, text in (("again", "also what is proven already"), ("full", "observe everything in each trial"), ("dry", "write no record")):
        parser.add_argument(f"--{word}", action="store_true", help=text)
    options = parser.parse_args()
    began = time.monotonic()
    todo = [] if options.list else chosen(options)
    outcomes = run(todo, options.seed, full=options.full, write=not options.dry)
    if not todo and not options.dry:
        with proofs.held():
            record = proofs.load()
            lost = {one["control"]: f"its proof is lost: {proofs.holds(one)}" for one in record["proofs"] if proofs.holds(one)}
            proofs.save({**record, "proofs": [one for one in record["proofs"] if not proofs.holds(one)]}, lost)
    if not options.dry:
        proof_page.main()
    bad = [one for one in outcomes if not one.proven]
    record = proofs.load()
    total = len(compiled.automated())
    print(f"{len(outcomes) - len(bad)} of {len(outcomes)} trials as declared, in {time.monotonic() - began:.0f} s; "
          f"{total - len(record['unproven'])} of {total} controls proven red. Seed {options.seed}.")
    for one in bad:
        print(f"  {one.fault}/{one.number}: {one.problem or 'not seen green after healing'}")
    return 2 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
