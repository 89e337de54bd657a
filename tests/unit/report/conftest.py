"""Run directories for the report's tests."""
from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from golive.report.build import build
from golive.report.model import Control, Report

from tests.fixtures.report import run_directory


@pytest.fixture(scope="session")
def runs() -> ModuleType:
    """The generator of run directories."""
    return run_directory


@pytest.fixture
def stopped(runs: ModuleType, tmp_path: Path) -> Report:
    """A run that was stopped in paper, with every verdict and every tag."""
    return build(runs.realistic().write(tmp_path))


@pytest.fixture
def found(stopped: Report) -> dict[str, Control]:
    """Its controls by id."""
    return {control.id: control for control in stopped.controls}
