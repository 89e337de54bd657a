"""`python -m tests.faults.mutate [--seed S] [--count N] [--replay NUMBER]`: the mutations that need no host, and their record."""
from __future__ import annotations

import argparse
import json
import sys
from collections import Counter

from golive.canonical import utc
from golive.rundir import write_atomic
from golive.session import ROOT

from ..harness import bound
from ..harness.controller import Controller
from . import judgement, records

RECORD = ROOT / "tests/records/mutation_campaign.json"


def main() -> int:
    """Run the campaign; 2 when a mutant survived."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutate")
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--replay", type=int)
    options = parser.parse_args()
    world = Controller()
    try:
        if options.replay is not None:
            print(*records.mutant(world, options.seed, options.replay), sep=" | ")
            return 0
        judged, never_green, blind = judgement.campaign()
        verdicts: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        survivors = [f"{name}: {what}" for name, what in (one.split(": ", 1) for one in blind)]
        for number in range(options.count):
            name, what, verdict = records.mutant(world, options.seed, number)
            verdicts[verdict] += 1
            kinds[" ".join(what.split()[:3])] += 1
            if verdict == "pass":
                survivors.append(f"record {number} of seed {options.seed}: {name}: {what}")
    finally:
        world.close()
    figures = {"observations changed by one fact, word or count": judged, "of them judged green": len(blind),
               "signed records changed": options.count, "seen as red": verdicts["fail"], "seen as undecided": verdicts["undecided"],
               "stayed green": verdicts["pass"], "controls whose wanted facts are not green": len(never_green), "seed": options.seed}
    body = {"title": "Mutations", "at": utc(), "bound": bound.now("mutation_campaign"),
            "figures": figures, "kinds": dict(sorted(kinds.items())), "survivors": survivors,
            "about": "Small lies about every fact of every control, and signed records changed at random: none may be judged green.",
            "notes": [f"survived: {one}" for one in [*survivors, *never_green]]}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)
    print(json.dumps(figures, indent=1), *survivors, *never_green, sep="\n")
    return 2 if survivors or never_green else 0


if __name__ == "__main__":
    sys.exit(main())
