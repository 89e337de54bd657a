"""A pass is taken from the cache only for exactly the files, the command and the Python with which it was one."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts/known_good.py"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    place = tmp_path / "checkout"
    (place / "scripts").mkdir(parents=True)
    (place / "scripts/known_good.py").write_bytes(SCRIPT.read_bytes())
    (place / "playbook.yml").write_text("one\n")
    (place / ".gitignore").write_text("/ran\n")
    subprocess.run(["git", "init", "-q"], cwd=place, check=True)
    return place


def check(checkout: Path, command: str = "echo >> ran") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "scripts/known_good.py", "lint", "/bin/sh", "-c", command], cwd=checkout, text=True,
                          env={**os.environ, "GOLIVE_CACHE": str(checkout.parent / "cache")}, capture_output=True, check=False)


def ran(checkout: Path) -> int:
    return len((checkout / "ran").read_text().splitlines())


def test_a_pass_on_the_same_files_is_not_run_again_and_says_so(checkout: Path) -> None:
    assert check(checkout).returncode == 0
    again = check(checkout)
    assert (again.returncode, ran(checkout)) == (0, 1)
    assert "passed on these very files at" in again.stdout


@pytest.mark.parametrize("change", ["changed", "added", "deleted", "mode"])
def test_any_other_content_is_run(checkout: Path, change: str) -> None:
    check(checkout)
    file = checkout / "playbook.yml"
    if change == "changed":
        file.write_text("two\n")
    elif change == "added":
        (checkout / "more.yml").write_text("")
    elif change == "deleted":
        file.unlink()
    else:
        file.chmod(0o755)
    check(checkout)
    assert ran(checkout) == 2


def test_a_failure_is_never_kept(checkout: Path) -> None:
    failing = "echo >> ran; exit 3"
    assert [check(checkout, failing).returncode for _ in range(2)] == [3, 3]
    assert ran(checkout) == 2


def test_without_git_it_is_always_run(checkout: Path) -> None:
    (checkout / ".git").rename(checkout / "no-git")
    check(checkout)
    check(checkout)
    assert ran(checkout) == 2
