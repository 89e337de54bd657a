"""What the two commands hand on."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from golive.lab.run import REPOSITORY


def _make(*words: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in {"ANSIBLE_CONFIG", "GOLIVE_INVENTORY", "MAKEFLAGS"}}
    return subprocess.run(["make", "--no-print-directory", *words], check=False, cwd=REPOSITORY, capture_output=True, text=True, env=clean)


def _exported(variable: str, *words: str) -> str:
    return _make(f"--eval=show: ; @echo $${variable}", "show", *words).stdout.strip()


def test_ansible_is_told_its_configuration() -> None:
    """A world-writable checkout would lose it otherwise (M20)."""
    assert _exported("ANSIBLE_CONFIG") == str(REPOSITORY / "ansible.cfg")


def test_lab_and_journey_use_one_inventory() -> None:
    assert _exported("GOLIVE_INVENTORY") == str(REPOSITORY / "inventories/kraken-micro/lab.yml")
    assert _exported("GOLIVE_INVENTORY", "INVENTORY=x/lab.yml") == str(REPOSITORY / "x/lab.yml")
    dry = _make("--dry-run", "golive", "INVENTORY=inventories/kraken-spot/lab.yml", "ARGS=--check").stdout
    assert 'scripts/journey "inventories/kraken-spot/lab.yml" "reports/kraken-spot/latest" --check' in dry


def test_every_target_is_described_and_can_be_planned() -> None:
    described = re.findall(r"^  make ([a-z-]+) +\S", _make("help").stdout, re.MULTILINE)
    assert {"golive", "test", "prove", "bench", "lab", "lab-down", "lint", "unit", "report", "setup"} <= set(described)
    for target in described:
        assert _make("--dry-run", target).returncode == 0, target


@pytest.mark.parametrize("code", [0, 3])
def test_failing_tool_is_shown_and_fails(code: int) -> None:
    done = subprocess.run([REPOSITORY / "scripts/timed", "tool", "sh", "-c", f"echo first; echo words; exit {code}"], check=False,
                          capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.endswith(") words\n" if code == 0 else "s)\n")
    assert ("first" in done.stdout) == (code != 0)
    assert done.stdout.splitlines()[-1].startswith("tool … ok (" if code == 0 else "tool … failed with exit code 3 (")


def test_ci_starts_make_test_and_nothing_else() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines()[-1] == "exec make test"
