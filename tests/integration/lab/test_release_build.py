"""A release built twice, in two places, is the same release; and it is for the Python of the hosts, not for this one's."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tarfile
from pathlib import Path

import pytest
from golive import uv
from golive.lab.run import REPOSITORY
from golive.release_build import Built, build


@pytest.fixture(scope="module")
def first() -> Built:
    """The bot's release as everybody on this machine gets it."""
    return build("bot")


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; uv is still the one that set-up found."""
    found = uv.find(REPOSITORY)
    assert found is not None, "run scripts/setup env"
    monkeypatch.setenv("PATH", f"{Path(found).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("GOLIVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_built_release_is_taken_from_the_cache(first: Built) -> None:
    made = first.path.stat()
    assert build("bot") == first
    assert first.path.stat().st_mtime_ns == made.st_mtime_ns


def test_same_input_gives_the_same_bytes(first: Built, fresh_cache: Path) -> None:
    second = build("bot")
    assert second.path != first.path
    assert second.sha256 == first.sha256
    assert [path.name for path in (fresh_cache / "releases").iterdir()] == [first.path.name]  # and nothing half-built beside it


def test_changed_source_is_another_release(first: Built, fresh_cache: Path, tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    shutil.copytree(REPOSITORY / "molecule/lab/bots", copy / "molecule/lab/bots")
    shutil.copy(REPOSITORY / "uv.lock", copy)
    with next((copy / "molecule/lab/bots").rglob("__init__.py")).open("a") as source:
        source.write("# changed\n")
    changed = build("bot", repository=copy)
    assert changed.sha256 != first.sha256
    assert changed.path.name != first.path.name


def test_release_holds_source_and_wheels_and_says_so(first: Built) -> None:
    with tarfile.open(first.path) as archive:
        members = archive.getnames()
        described = json.load(archive.extractfile("release.json"))  # type: ignore[arg-type]
    assert {"app/kraken_micro/__init__.py", "site-packages/aiohttp/__init__.py"} <= set(members)
    assert any(member.endswith(f".cpython-313-{platform.machine()}-linux-gnu.so") for member in members)
    assert not [member for member in members if "__pycache__" in member or member.startswith("site-packages/bin/")]
    assert (described["name"], described["python"]) == ("bot", "3.13")
    assert "aiohttp" in {each["name"] for each in described["distributions"]}
    assert "ansible-core" not in {each["name"] for each in described["distributions"]}
