"""The host of the registry as a world in which breaks are tried: observed by golive's own plan, runner, probes and judge, as in a run."""
from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from golive import bundle, catalogue, operators, profile
from golive.errors import GoliveError

from tests.faults.harness.world import World
from tests.fixtures.model_profile import VALUES
from tests.integration.model_registry.conftest import Host

ROOT = Path(__file__).resolve().parents[3]
SUBJECTS = ("model", "isolation", "downtime", "training")
# Seen at a rehearsal exchange: tests/integration/probes/test_downtime_on_sandbox.py, tests/integration/rehearsal/test_downtime_drill.py
ELSEWHERE = {"ledger.no_orders_in_downtime", "downtime.orders_blocked"}
Edit = Callable[[str], str]


@cache
def controls() -> dict[str, catalogue.Control]:
    """Return the catalogue's controls of the registry, of isolation and of the downtime."""
    known = catalogue.load(ROOT / "controls")
    return {name: one for name, one in known.controls.items()
            if one.fields["systems"] == ["kraken-global"] and (name.split(".")[0] in SUBJECTS or name in ELSEWHERE)}


def compiled(name: str, **changed: Any) -> dict[str, Any]:
    """Return a control as a run of the system judges by it."""
    fields = controls()[name].fields
    values = {**VALUES, **changed}
    taken = {key: profile.resolve(fields[key], values) for key in ("ask", "expect", "min_opportunities")}
    return {**fields, **taken, "applies": True, "tags": [], "id": name,
            "expect": {fact: operators.validate(tests) for fact, tests in taken["expect"].items()}}


class ModelHost(World):
    """One host with two registries and a bot. `edits` change golive's own sources on their way to the host; `values` the profile."""

    name = "model host"
    groups: Mapping[str, list[str]] = {"bots": ["bot"]}

    def __init__(self, host: Host) -> None:
        super().__init__()
        self.host = host
        self.edits: dict[str, Edit] = {}
        self.values: dict[str, Any] = {}

    def catalogue(self) -> Mapping[str, Mapping[str, Any]]:
        return {name: compiled(name, **self.values) for name in controls() if name not in ELSEWHERE}

    def can_show(self) -> set[str]:
        return set(controls()) - ELSEWHERE

    def on(self, script: str, check: bool = True) -> str:
        """Run a shell script as root on the host."""
        return self.host.must(script) if check else self.host.shell(script).stdout

    def ask(self, host: str, questions: dict[str, Any]) -> list[dict[str, Any]]:
        script = bundle.script(questions, {})
        for module, edit in self.edits.items():
            script = _edited(script, module, edit)
        done = self.host.look(script)
        line = next((one for one in done.splitlines() if one.startswith("--golive %s " % questions["nonce"])), None)
        if line is None:
            raise GoliveError("the host sent no answer", found=done[-300:])
        found: list[dict[str, Any]] = json.loads(line.split(" ", 2)[2])
        return found


def _edited(script: bytes, module: str, edit: Edit) -> bytes:
    """Change one module in what is sent to the host, and nothing of what it says about itself."""
    before = bundle.sources([module])[module][1]
    after = edit(before)
    assert after != before, f"nothing to break in {module}"
    sent = json.dumps(before)[1:-1].encode()
    wanted = repr(json.dumps(before)[1:-1])[1:-1].encode()
    for old, new in ((wanted, repr(json.dumps(after)[1:-1])[1:-1].encode()), (sent, json.dumps(after)[1:-1].encode())):
        if old in script:
            return script.replace(old, new, 1)
    raise AssertionError(f"{module} is not sent")
