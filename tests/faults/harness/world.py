"""A world in which faults are tried: it observes controls with golive's own plan, runner, probes, judge and gate, and nothing else."""
from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from golive import gate, plan, runner
from golive.canonical import utc
from golive.errors import GoliveError

Verdicts = dict[str, tuple[str, str]]


class World:
    """`observe` returns control id -> (verdict, reason); a control seen from several places has the worst of its verdicts."""

    name = ""
    groups: Mapping[str, list[str]] = {"bots": ["bot"]}
    addresses: Mapping[str, str] = {}
    run = "20261121T000000Z-000000"

    def __init__(self) -> None:
        self.observed: list[dict[str, Any]] = []

    def catalogue(self) -> Mapping[str, Mapping[str, Any]]:
        """Return the compiled controls that this world judges by."""
        raise NotImplementedError

    def can_show(self) -> set[str]:
        """Return the ids of the controls that this world can show green."""
        raise NotImplementedError

    def neighbours(self) -> set[str]:
        """Return the controls that may be drawn as neighbours of a break: those whose verdict does not hang on how busy the machine is."""
        return self.can_show()

    def prepare(self, names: Iterable[str]) -> None:
        """Make the world such that these controls are green, if it has to be made."""

    def ask(self, host: str, questions: dict[str, Any]) -> list[dict[str, Any]]:
        """Run one plan where its host looks, and return the answers. Raises GoliveError for a host that is not reached."""
        raise NotImplementedError

    def observe(self, names: Iterable[str]) -> Verdicts:
        """Observe these controls once and judge them as a gate would."""
        controls = {name: self.catalogue()[name] for name in sorted(names)}
        expected = plan.targets(controls, self.groups)
        self.observed = []
        for host in sorted({one.host for one in expected}):
            wanted = [one for one in expected if one.host == host]
            questions = plan.build(self.run, "drift", host, wanted, controls, self.addresses, rehearsal=True)
            answers, missing = {}, "the host sent no answer to this"
            try:
                answers = {one["id"]: one for one in self.ask(host, questions)}
            except GoliveError as exc:
                missing = f"{host}: {exc}"
            self.observed += plan.observations(questions, answers, missing, utc())
        found: Verdicts = {}
        worst = ("fail", "undecided", "pass")
        for one in gate.verdicts(controls, expected, self.observed, self.run, rehearsal=True):
            known = found.get(one["control"])
            if known is None or worst.index(one["verdict"]) < worst.index(known[0]):
                found[one["control"]] = (one["verdict"], one["reason"])
        return found

    def look(self, names: Iterable[str]) -> Verdicts:
        """Make the world such that these controls can be green, and observe them."""
        self.prepare(names)
        return self.observe(names)

    def close(self) -> None:
        """Take away what this world made."""


def ask_here(questions: dict[str, Any], context: Mapping[str, Any], secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run a plan with the runner that the action starts for the controller; in this process: a start would cost most of a trial."""
    return runner.observe_all({**questions, "context": dict(context)}, dict(secrets))


def run(*argv: str | Path, cwd: Path | None = None, data: bytes | None = None, check: bool = True) -> str:
    """Run a command and return what it printed; fails with its last words."""
    done = subprocess.run([str(one) for one in argv], cwd=cwd, input=data, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout.decode(errors="replace")


def load(path: Path) -> Any:
    """Return the JSON of a file."""
    return json.loads(path.read_text("utf-8"))
