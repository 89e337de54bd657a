"""Lets the files of library/ be imported as Ansible sends them: `ansible.module_utils.golive` and `golive` are one package (M14)."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from tests.fixtures.plugins import load_file

SENT_AS = "ansible.module_utils.golive"
LIBRARY = Path(__file__).parents[3] / "library"


class _OnePackage(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname == SENT_AS or fullname.startswith(SENT_AS + "."):
            return importlib.util.spec_from_loader(fullname, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return importlib.import_module(spec.name.replace("ansible.module_utils.", "", 1))

    def exec_module(self, module: ModuleType) -> None:
        return None


if not any(isinstance(finder, _OnePackage) for finder in sys.meta_path):
    sys.meta_path.insert(0, _OnePackage())


@pytest.fixture
def module() -> Callable[[str], ModuleType]:
    """Return a loader of library/<name>.py."""

    return lambda name: load_file(LIBRARY / f"{name}.py")


@pytest.fixture
def run(module: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a function that runs a set module's main() as Ansible does and returns what it printed, parsed, plus the text itself.

    `patch` replaces names in the module of golive that carries the set out.
    """

    def start(name: str, arguments: dict[str, Any], check: bool = True, patch: dict[str, Any] | None = None) -> dict[str, Any]:
        loaded = module(name)
        for attribute, value in (patch or {}).items():
            monkeypatch.setattr(sys.modules[loaded.perform.__module__], attribute, value)
        with patch_module_args({**arguments, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            loaded.main()
        text = capsys.readouterr().out
        return {**json.loads(text), "text": text}

    return start
