"""All actions in any order, with kills and failing disks between: a model of the registry in ten lines, compared after each step."""
from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.fixtures import faulty_files as ff
from tests.fixtures import models as m
from tests.fixtures.ptrace import run_until
from tests.unit.model_registry.crash import MEMORY

SEEDS = st.integers(0, 3)
ERRORS = st.sampled_from([ff.FULL, ff.READ_ONLY, ff.BROKEN])
Failing = tuple[int, int, bool, bool]
# Nothing, a disk that fails at a changing call (once or from there on, with half a write), or kill -9 before a system call.
FAULTS = st.one_of(st.none(), st.tuples(st.integers(0, 30), ERRORS, st.booleans(), st.booleans()), st.integers(0, 800))
Fault = Failing | int | None


class Registry(RuleBasedStateMachine):
    """`expected` is the digest in force, `earlier` what was in force before, `signed` what may be approved."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="golive-machine-", dir=MEMORY))
        self.world = m.World(self.place)
        self.expected: str | None = None
        self.approved: set[str] = set()
        self.moves = self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.place)

    def disturbed(self, fault: Fault, action: str, **given: object) -> dict:
        """Run an action under a failing disk or until it is killed, then undisturbed: the second run must end what the first began."""
        if fault is not None:
            before = self.world.pointer()
            if isinstance(fault, int):
                run_until(2 * fault, lambda: None if "changes" in self.world.do(action, **given) else os._exit(4))
            else:
                with ff.layer(ff.Layer(*fault)):
                    self.world.do(action, **given)
            after = self.world.pointer()
            assert after == before or after is not None
        return self.world.do(action, **given)

    @rule(seed=SEEDS, fault=FAULTS)
    def register(self, seed: int, fault: Fault) -> None:
        source = m.candidate(self.place / f"source-{seed}", seed)
        registered = self.disturbed(fault, "register", source=str(source))
        assert not registered.get("failed"), registered["msg"]
        assert self.world.do("register", source=str(source))["changes"] == []

    @rule(seed=SEEDS, fault=FAULTS)
    def validate(self, seed: int, fault: Fault) -> None:
        digest, _validation = self.world.validated(seed)
        self.count += 1
        folder = m.evidence(self.place / f"evidence-again-{self.count}", digest, issued=m.NIGHT - timedelta(hours=1, seconds=self.count))
        validated = self.disturbed(fault, "validate", candidate=digest, evidence=str(folder))
        assert not validated.get("failed"), validated["msg"]
        assert self.world.do("validate", candidate=digest, evidence=str(folder))["changes"] == []

    @rule(seed=SEEDS, fault=FAULTS)
    def approve(self, seed: int, fault: Fault) -> None:
        digest, validation = self.world.validated(seed)
        self.count += 1
        folder = m.approve(self.place / f"approvals-{self.count}", digest, validation,
                           issued=m.NIGHT - timedelta(hours=3) + timedelta(seconds=self.count))
        result = self.disturbed(fault, "approve", candidate=digest, validation=validation, approvals=str(folder), confirm=True)
        assert not result.get("failed"), result["msg"]
        self.moves += self.expected != digest
        self.expected = digest
        self.approved.add(digest)

    @rule(seed=SEEDS, fault=FAULTS)
    def rollback(self, seed: int, fault: Fault) -> None:
        if self.expected is None:
            assert self.world.do("rollback", reason="x", away_from="sha256:" + "0" * 64)["code"] == "missing"
            return
        target = sorted(self.approved)[seed % len(self.approved)]
        result = self.disturbed(fault, "rollback", reason="x", candidate=target)
        assert not result.get("failed"), result["msg"]
        self.moves += self.expected != target
        self.expected = target

    @rule(fault=FAULTS)
    def prune(self, fault: Fault) -> None:
        result = self.disturbed(fault, "prune", keep_models=20, keep_candidates=20)
        assert not result.get("failed"), result["msg"]

    @rule(seed=SEEDS)
    def refuse_what_nobody_signed(self, seed: int) -> None:
        digest, validation = self.world.validated(seed)
        empty = self.place / "nobody"
        empty.mkdir(exist_ok=True)
        result = self.world.do("approve", candidate=digest, validation=validation, approvals=str(empty), confirm=True)
        assert result.get("code") == "unsigned" or digest == self.expected

    @invariant()
    def what_is_in_force_is_what_was_decided_and_all_of_it_holds(self) -> None:
        pointer = self.world.pointer()
        assert (pointer or {}).get("digest") == self.expected
        verified = self.world.do("verify")
        assert verified["problems"] == []
        assert verified["facts"].get("moves", 0) == self.moves


SLICE = settings(max_examples=4, stateful_step_count=6, deadline=None)
ALL = settings(max_examples=40, stateful_step_count=15, deadline=None)
TestRegistry = Registry.TestCase
TestRegistry.settings = SLICE


@pytest.fixture(autouse=True)
def _as_many_as_asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few short lives in `make test`, many long ones with --full."""
    monkeypatch.setattr(TestRegistry, "settings", ALL if request.config.getoption("--full") else SLICE)
