"""Which distributions, at which versions and digests, does an extra of this project need on a given Python?

Read from uv.lock. (`uv export` would add everything the controller itself needs, Ansible and all.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomllib
from packaging.markers import Marker

from .errors import GoliveError

_FORMAT = 1


@dataclass(frozen=True)
class Distribution:
    """A locked distribution with the digests (`sha256:…`) of its wheels."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def requirement(self) -> str:
        """The line of a requirements file that admits this distribution and nothing else."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={digest}" for digest in self.hashes)])


def target_markers(python: str, machine: str) -> dict[str, str]:
    """The marker environment (PEP 508) of CPython `python` (as `3.13`) on Linux `machine` (as `x86_64`)."""
    return {
        "implementation_name": "cpython", "implementation_version": f"{python}.0", "os_name": "posix", "platform_machine": machine,
        "platform_python_implementation": "CPython", "platform_release": "", "platform_system": "Linux", "platform_version": "",
        "python_full_version": f"{python}.0", "python_version": python, "sys_platform": "linux", "extra": "",
    }


def closure(lock: Path, project: str, extra: str, markers: Mapping[str, str]) -> list[Distribution]:
    """What `project[extra]` needs beyond the project itself, sorted by name.

    Raises GoliveError if the lock file is of another format, or has no such project, extra or distribution.
    """
    document = tomllib.loads(lock.read_text(encoding="utf-8"))
    if document.get("version") != _FORMAT:
        raise GoliveError("unknown lock format", where=str(lock), found=document.get("version"), expected=_FORMAT,
                          todo="teach golive.lock the new format")
    packages: list[dict[str, Any]] = document["package"]
    root = _find(packages, {"name": project}, lock)
    if extra not in root.get("optional-dependencies", {}):
        raise GoliveError("no such extra in the lock file", where=str(lock), found=extra,
                          expected=" or ".join(root.get("optional-dependencies", {})), todo="name it in pyproject.toml and run `uv lock`")
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str, str]] = set()
    waiting = list(root["optional-dependencies"][extra])
    while waiting:
        wanted = waiting.pop()
        if "marker" in wanted and not Marker(wanted["marker"]).evaluate(dict(markers)):
            continue
        package = _find(packages, wanted, lock)
        for part in ("", *wanted.get("extra", [])):
            if (package["name"], package["version"], part) in seen:
                continue
            seen.add((package["name"], package["version"], part))
            waiting.extend(package.get("dependencies", []) if not part else package.get("optional-dependencies", {}).get(part, []))
        hashes = tuple(sorted(wheel["hash"] for wheel in package.get("wheels", [])))
        found[package["name"]] = Distribution(package["name"], package["version"], hashes)
    return [found[name] for name in sorted(found)]


def _find(packages: list[dict[str, Any]], wanted: Mapping[str, Any], lock: Path) -> dict[str, Any]:
    def matching() -> Iterator[dict[str, Any]]:
        for package in packages:
            if package["name"] == wanted["name"] and package["version"] == wanted.get("version", package["version"]):
                yield package
    for package in matching():
        return package
    raise GoliveError("not in the lock file", where=str(lock), found=wanted["name"], todo="run `uv lock`")
