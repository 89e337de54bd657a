"""What exactly is deployed on a host that runs one of our services? A release: source and locked distributions, by digest.

A release is a tar.gz of `app/` (the source), `site-packages/` (the locked wheels, for the *target's* Python, which need not
be this one's) and `release.json`. The same input gives the same bytes, so two controllers agree about its digest. It runs with
`PYTHONPATH=app:site-packages python3 -m PACKAGE`; nothing is installed or downloaded on the target.

`python -m golive.release_build NAME` builds one and prints its path and digest.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import uv
from .canonical import digest, encode, file_digest
from .errors import GoliveError
from .lab.cache import cache_dir, content_key, files_below, locked
from .lock import Distribution, closure, target_markers

REPOSITORY = Path(__file__).resolve().parents[2]
FORMAT = 1
PYTHON = "3.13"
"""Python of the hosts that run our services (Debian trixie)."""

_PROJECT = "golive"
_GLIBC = "manylinux_2_28"
_MTIME = 315532800  # 1980-01-01, the oldest time that zip files can hold
_LAST_WORDS = 6  # lines of a failed uv worth showing
# What an installer leaves behind about itself: differs by tool and place, and says nothing about what runs.
_INSTALLERS_OWN = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})


@dataclass(frozen=True)
class Recipe:
    """What a release is made of: `source` (relative to the repository) becomes `app/<place>`, `extra` the distributions."""

    source: str
    place: str
    extra: str


RECIPES: dict[str, Recipe] = {
    "sandbox": Recipe("exchange_sandbox", "exchange_sandbox", "sandbox"),
    "bot": Recipe("molecule/lab/bots/kraken_micro", "", "bot"),
}


@dataclass(frozen=True)
class Built:
    """A release in the cache; `sha256` are 64 hex digits over the archive's bytes."""

    name: str
    path: Path
    sha256: str


def build(name: str, repository: Path = REPOSITORY, python: str = PYTHON) -> Built:
    """The release `name` for this machine's architecture, from the cache if nothing it is made of has changed.

    Raises GoliveError for an unknown name, a source that is not there, or in uv's own words.
    """
    if name not in RECIPES:
        raise GoliveError("no such release", found=name, expected=" or ".join(sorted(RECIPES)))
    recipe, machine = RECIPES[name], platform.machine()
    source = repository / recipe.source
    files = files_below(source)
    if not files:
        raise GoliveError("the source of the release is not there", where=str(source), todo="check out the whole repository")
    lock = repository / "uv.lock"
    # By the whole lock file: to look up which of its lines concern a release takes longer than all else here, at each question.
    key = content_key(files, source, str(FORMAT), name, recipe.place, python, machine, file_digest(str(lock)))
    path = cache_dir() / "releases" / f"{name}-{key}.tar.gz"
    if not path.exists():
        with locked(f"release-{name}"):
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                distributions = closure(lock, _PROJECT, recipe.extra, target_markers(python, machine))
                _write(path, source, files, recipe, distributions, name, python, machine)
    return Built(name, path, file_digest(str(path)).removeprefix("sha256:"))


def _write(path: Path, source: Path, files: Sequence[Path], recipe: Recipe, distributions: Sequence[Distribution], name: str,
           python: str, machine: str) -> None:
    """Build in a folder beside `path`, and rename what is whole."""
    with tempfile.TemporaryDirectory(prefix=".build-", dir=path.parent) as folder:
        work = Path(folder)
        packages = work / "site-packages"
        _install(packages, distributions, python, machine)
        members = {f"app/{(recipe.place + '/') if recipe.place else ''}{file.relative_to(source).as_posix()}": file for file in files}
        described = work / "release.json"
        described.write_bytes(encode({
            "format": FORMAT,
            "name": name,
            "source": digest([[place, hashlib.sha256(file.read_bytes()).hexdigest()] for place, file in sorted(members.items())]),
            "python": python,
            "platform": f"{machine}-{_GLIBC}",
            "distributions": [{"name": each.name, "version": each.version} for each in distributions],
        }) + b"\n")
        members |= {f"site-packages/{file.relative_to(packages).as_posix()}": file for file in files_below(packages)}
        members["release.json"] = described
        part = work / path.name
        with part.open("wb") as handle:
            write_archive(handle, members)
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)


def _install(packages: Path, distributions: Sequence[Distribution], python: str, machine: str) -> None:
    """Put the locked wheels into `packages`, checked against their digests, without what the installer adds of its own."""
    program = uv.find(REPOSITORY)
    if program is None:
        raise GoliveError("uv is not installed", todo="run `scripts/setup env`")
    wanted = packages.with_name("requirements.txt")
    wanted.write_text("".join(f"{each.requirement()}\n" for each in distributions), encoding="ascii")
    done = subprocess.run(
        [program, "pip", "install", "--quiet", "--no-config", "--target", str(packages), "--python", sys.executable,
         "--python-version", python, "--python-platform", f"{machine}-{_GLIBC}", "--only-binary", ":all:", "--no-deps",
         "--require-hashes", "--no-compile-bytecode", "--link-mode", "copy", "--requirements", str(wanted)],
        check=False, capture_output=True, text=True, env={**os.environ, **uv.certificate_environment(os.environ)})
    if done.returncode != 0:
        last = " | ".join(line.strip() for line in done.stderr.strip().splitlines()[-_LAST_WORDS:])
        raise GoliveError("the locked distributions cannot be installed", where=f"Python {python}, {machine}", found=last or "no output",
                          todo="check the network; a distribution without a wheel for that Python cannot be released")
    shutil.rmtree(packages / "bin", ignore_errors=True)  # scripts that name this machine's Python
    for left_over in (packages / ".lock", *(file for file in packages.glob("*.dist-info/*") if file.name in _INSTALLERS_OWN)):
        left_over.unlink(missing_ok=True)


def write_archive(handle: IO[bytes], members: dict[str, Path]) -> None:
    """Write a tar.gz of files (name in the archive -> file) whose bytes depend on names, contents and executable bits only."""
    with (gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=handle, mtime=0) as packed,
          tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive):
        folders = {parent.as_posix() for name in members for parent in Path(name).parents if parent.as_posix() != "."}
        for name in sorted({*folders, *members}):
            entry = tarfile.TarInfo(name)
            entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = _MTIME, 0, 0, "root", "root"
            if name in folders:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            file = members[name]
            entry.size, entry.mode = file.stat().st_size, 0o755 if file.stat().st_mode & 0o100 else 0o644
            with file.open("rb") as body:
                archive.addfile(entry, body)


def main(argv: Sequence[str] | None = None) -> int:
    """Build the named releases; print `name path sha256` for each. Exit 1 with one sentence if one cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m golive.release_build", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("names", nargs="+", metavar="NAME", help="one of: " + ", ".join(sorted(RECIPES)))
    try:
        for name in parser.parse_args(argv).names:
            built = build(name)
            print(built.name, built.path, built.sha256)
    except (GoliveError, OSError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
