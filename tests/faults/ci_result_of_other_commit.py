"""The result of CI is about another commit than the one that is deployed: it says nothing about this one."""
from __future__ import annotations

from .harness.controller import Controller
from .harness.fault import Fault, NotTaken, red


def _break(world: Controller) -> None:
    world.commit_file("molecule/lab/bots/kraken_micro/README.md", "One more commit, which no CI has tested.\n")


def _confirm(world: Controller) -> str:
    head = (world.root / ".git/refs/heads").glob("*")
    found = next(iter(head)).read_text().strip()
    if found == world.commit:
        raise NotTaken("the branch still points at the tested commit")
    return f"the branch points at {found[:12]}, the records are about {world.commit[:12]}"


TRIALS = (
    Fault("controller", "source", red("ci.unit_tests_pass", "ci.named_suite_passes", "code.sast_clean", "deps.no_known_vulns",
                                      "deps.up_to_date", verdict="undecided"), _break, _confirm, lambda world: world.back_to_first()),
)
