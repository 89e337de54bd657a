"""Run directories for the report's tests."""
from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from golive.report.build import build
from golive.report.model import Control, Report


def _load() -> ModuleType:
    path = Path(__file__).parents[2] / "fixtures" / "report" / "run_directory.py"
    spec = importlib.util.spec_from_file_location("run_directory", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("run_directory", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def runs() -> ModuleType:
    """The generator of run directories."""
    return _load()


@pytest.fixture
def stopped(runs: ModuleType, tmp_path: Path) -> Report:
    """A run that was stopped in paper, with every verdict and every tag."""
    return build(runs.realistic().write(tmp_path))


@pytest.fixture
def found(stopped: Report) -> dict[str, Control]:
    """Its controls by id."""
    return {control.id: control for control in stopped.controls}
