"""library/units.py as Ansible starts it; the rules are tested in tests/unit/sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from golive.sets.system import Completed, System

Run = Callable[..., dict[str, Any]]


class Silent(System):
    """A host on which every command succeeds without a word, except that systemd knows no unit."""

    def run(self, argv: Sequence[str], *_: object, **__: object) -> Completed:
        return Completed(0, "LoadState=not-found\n", "")


@pytest.mark.parametrize("check", [True, False])
def test_bad_input_is_one_sentence_and_no_traceback(run: Run, tmp_path: Path, check: bool) -> None:
    result = run("units", {"units": [{"name": "bot"}]}, check=check, patch={"System": lambda: Silent(str(tmp_path))})
    assert result["failed"]
    assert "is not a whole unit name" in result["msg"]
    assert "Traceback" not in result["text"]


@pytest.mark.parametrize("check", [True, False])
def test_an_empty_set_changes_nothing(run: Run, tmp_path: Path, check: bool) -> None:
    result = run("units", {"units": []}, check=check, patch={"System": lambda: Silent(str(tmp_path))})
    assert (result["changed"], result["changes"], result["problems"]) == (False, [], [])


def test_a_run_that_was_opened_as_drift_is_refused_unless_dry(run: Run, tmp_path: Path) -> None:
    patch = {"System": lambda: Silent(str(tmp_path))}
    assert "opened as drift" in run("units", {**{"units": []}, "golive_drift": True}, check=False, patch=patch)["msg"]
    assert run("units", {**{"units": []}, "golive_drift": True}, check=True, patch=patch)["changed"] is False
