"""What an extra needs on a target's Python, read from the lock file."""

from __future__ import annotations

from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.lab.run import REPOSITORY
from golive.lock import closure, target_markers

TARGET = target_markers("3.13", "x86_64")
LOCK = """\
version = 1
[[package]]
name = "us"
version = "0"
dependencies = [{ name = "controller-only" }]
[package.optional-dependencies]
bot = [{ name = "web", extra = ["fast"] }]
[[package]]
name = "web"
version = "2"
dependencies = [
  { name = "old", marker = "python_full_version < '3.12'" },
  { name = "linux", marker = "sys_platform == 'linux'" },
  { name = "web" },
]
wheels = [{ hash = "sha256:bb" }, { hash = "sha256:aa" }]
[package.optional-dependencies]
fast = [{ name = "speedups" }]
[[package]]
name = "old"
version = "1"
[[package]]
name = "linux"
version = "1"
[[package]]
name = "speedups"
version = "1"
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "uv.lock"
    path.write_text(LOCK)
    return path


def test_closure_follows_markers_of_the_target_and_extras(lock: Path) -> None:
    assert [each.name for each in closure(lock, "us", "bot", TARGET)] == ["linux", "speedups", "web"]
    assert "old" in [each.name for each in closure(lock, "us", "bot", target_markers("3.11", "x86_64"))]


def test_requirement_admits_only_the_locked_wheels(lock: Path) -> None:
    web = closure(lock, "us", "bot", TARGET)[-1]
    assert web.requirement() == "web==2 --hash=sha256:aa --hash=sha256:bb"


def test_unknown_extra_is_told_the_known_ones(lock: Path) -> None:
    with pytest.raises(GoliveError, match="found bots, expected bot"):
        closure(lock, "us", "bots", TARGET)


def test_lock_of_a_later_format_is_refused(lock: Path) -> None:
    lock.write_text(LOCK.replace("version = 1", "version = 2", 1))
    with pytest.raises(GoliveError, match="unknown lock format"):
        closure(lock, "us", "bot", TARGET)


@pytest.mark.parametrize("extra", ["sandbox", "bot"])
def test_services_do_not_carry_the_controllers_tools(extra: str) -> None:
    found = {each.name: each for each in closure(REPOSITORY / "uv.lock", "golive", extra, TARGET)}
    assert "aiohttp" in found
    assert not found.keys() & {"ansible", "ansible-core", "docker", "golive", "pytest"}
    assert all(each.hashes for each in found.values())
