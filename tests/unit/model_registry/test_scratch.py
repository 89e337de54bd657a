"""What the probe asks a scratch registry: green as golive is, red when golive's own code is broken in the way that each fault names."""
from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.model_registry import registry as registry_code
from golive.model_registry import scratch, task

from tests.fixtures import models as m

Patch = Callable[[pytest.MonkeyPatch], None]


def ask(profile: dict[str, Any] | None = None) -> dict[str, Any]:
    return scratch.ask(profile or m.PROFILE, m.BOT_SCHEMA, 2)


def test_everything_is_refused_that_must_be_and_the_good_way_is_open() -> None:
    found = ask()
    assert found.pop("scratch.bad_refused") == ["INTEGRITY", "OOS_METRICS", "RISK_CHECKS", "SCHEMA"]
    assert (found.pop("scratch.bad_refused_count"), found.pop("scratch.bad_tried")) == (4, 4)
    assert all(value is True for value in found.values()), found


def test_it_leaves_nothing_behind() -> None:
    before = sorted(Path("/dev/shm").glob("golive-scratch-*"))
    ask()
    assert sorted(Path("/dev/shm").glob("golive-scratch-*")) == before


def confirm_defaults_to_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(task.SPEC, "confirm", {"type": "bool", "default": True})


def rollback_goes_unlogged(monkeypatch: pytest.MonkeyPatch) -> None:
    original = registry_code.Registry._switch

    def unlogged(self: Any, act: str, pointer: Any, current: Any, detail: Any, changes: Any) -> Any:
        try:
            return original(self, act, pointer, current, detail, changes)
        except Exception:  # noqa: BLE001 (the break: whatever the log says, move on)
            self.store.move(registry_code.history.encode(dict(pointer, seq=99, at="2026-01-10T03:30:00Z")), current)
            return {}
    monkeypatch.setattr(registry_code.Registry, "_switch", unlogged)


def integrity_check_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_code.Registry, "_intact", lambda self, digest: [])


def approvals_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    original = registry_code.records.approval

    def nobody(who: Any, directory: str, subject: str, role: str, needed: int, now: datetime) -> Any:
        try:
            return original(who, directory, subject, role, needed, now)
        except Exception:  # noqa: BLE001 (the break: nobody signed, and it is let through)
            return registry_code.records.Approval(None, b"{}", {}, [])  # type: ignore[arg-type]
    monkeypatch.setattr(registry_code.records, "approval", nobody)


def window_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_code.Registry, "_check_time", lambda self, force, moved: None)


@pytest.mark.parametrize(("fault", "fact"), [
    (confirm_defaults_to_true, "scratch.unconfirmed_refused"), (rollback_goes_unlogged, "scratch.unlogged_rollback_refused"),
    (integrity_check_skipped, "scratch.tampered_refused"), (approvals_not_asked_for, "scratch.unsigned_refused"),
    (window_not_asked_for, "scratch.outside_window_refused")], ids=lambda one: getattr(one, "__name__", one))
def test_a_break_in_golive_itself_turns_it_red(fault: Patch, fact: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask()[fact] is True
    fault(monkeypatch)
    assert ask()[fact] is False


@pytest.mark.parametrize(("gate", "softened"), [
    ("OOS_METRICS", {"sharpe_min": -1e9, "hit_rate_min": -1, "return_min": -1e9, "drawdown_max": 1e9})])
def test_a_gate_whose_thresholds_let_everything_pass_is_seen(gate: str, softened: dict[str, float]) -> None:
    found = ask({**m.PROFILE, **softened})
    assert gate not in found["scratch.bad_refused"]
    assert found["scratch.bad_refused_count"] == 3


def test_a_profile_under_which_nothing_can_pass_is_undecided() -> None:
    with pytest.raises(Undecided, match="not even a good candidate"):
        ask({**m.PROFILE, "sharpe_min": 1e12})
    with pytest.raises(Undecided, match="format"):
        ask({**m.PROFILE, "formats": ["hdf5"]})
