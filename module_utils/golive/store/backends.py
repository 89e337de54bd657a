"""Where a small user keeps secrets without a store: sops files, systemd credentials, a locked-down environment file. Read only.

Each says what it does not give. golive does not write them: rotating such a secret is the operator's work, and the report says so.
"""
from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..errors import GoliveError

GIVES = ("encryption", "audit", "revocation", "rotation", "access per process")
_TIMEOUT_S = 30


@dataclass(frozen=True)
class Backend:
    """`lacks` maps what it does not give to what follows from that, in words for the report."""

    name: str
    lacks: dict[str, str]
    read: Callable[[str, str], str] | None = None


def lacking(references: Iterable[str]) -> dict[str, list[str]]:
    """Return what the backends of these references do not give: `{what: [references]}`."""
    found: dict[str, list[str]] = {}
    for reference in references:
        name = reference.removeprefix("index:").partition(":")[0]
        for what in BACKENDS[name].lacks if name in BACKENDS else GIVES:
            found.setdefault(what, []).append(reference)
    return found


def read(kind: str, path: str, field: str) -> str:
    """Return one field. Raises GoliveError that names the file and what is wrong, never its content."""
    backend = BACKENDS.get(kind)
    if backend is None or backend.read is None:
        raise GoliveError(f"there is no backend {kind}", expected=", ".join(sorted(BACKENDS)))
    return backend.read(path, field)


def _sops(path: str, field: str) -> str:
    """Let sops decrypt into memory; its keys (age, PGP, KMS) are the operator's."""
    kind = "json" if path.endswith(".json") else "yaml"
    text = _run(["sops", "--decrypt", "--output-type", "json", path], path, f"sops cannot open it as {kind}")
    return _field(json.loads(text), field, path)


def _systemd_creds(path: str, field: str) -> str:
    """Let systemd decrypt a credential that was encrypted to this host (and to its TPM, where there is one)."""
    name = Path(path).name.removesuffix(".cred")
    text = _run(["systemd-creds", "decrypt", f"--name={name}", path, "-"], path, "systemd-creds cannot open it on this host").rstrip("\n")
    if not field:
        return text
    try:
        return _field(json.loads(text), field, path)
    except ValueError:
        raise GoliveError(f"has no field {field}", where=Path(path).name, expected="a JSON object, or a reference without #field") from None


def _env_file(path: str, field: str) -> str:
    """Read one assignment; no shell, no substitution, the last of two wins as with systemd's EnvironmentFile=."""
    _locked_down(Path(path))
    found: str | None = None
    for line in Path(path).read_text("utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and name.strip() == field and not line.lstrip().startswith("#"):
            found = _unquoted(value.strip())
    if not found:
        raise GoliveError(f"has no value for {field}", where=Path(path).name, todo=f"add the line {field}=…")
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return value[1:-1].replace('\\"', '"').replace("\\$", "$").replace("\\`", "`").replace("\\\\", "\\")
    return value


def _locked_down(path: Path) -> None:
    try:
        info = path.lstat()
    except OSError as exc:
        raise GoliveError("cannot be read", where=path.name, found=type(exc).__name__) from None
    mode = stat.S_IMODE(info.st_mode)
    if not stat.S_ISREG(info.st_mode) or mode & 0o077 or info.st_uid not in {0, os.getuid()}:
        raise GoliveError("may be read or replaced by others", where=path.name, found=f"{mode:04o}, owner {info.st_uid}",
                          expected="a file, 0600, its user's", todo="chmod 600 it, and rotate what stood in it")


def _field(value: Any, field: str, path: str) -> str:
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, dict | list):
        return json.dumps(value)
    if value is None or isinstance(value, bool):
        raise GoliveError(f"has no text field {field}", where=Path(path).name)
    return str(value)


def _run(command: list[str], path: str, what: str) -> str:
    if not Path(path).is_file():
        raise GoliveError("is not there", where=Path(path).name)
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise GoliveError(f"{command[0]} is not installed on the controller", where=Path(path).name) from None
    except subprocess.TimeoutExpired:
        raise GoliveError(f"{command[0]} gave no answer in {_TIMEOUT_S} s", where=Path(path).name) from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GoliveError(what, where=Path(path).name, found=words[0][:200] if words else f"exit {done.returncode}")
    return done.stdout.decode("utf-8")


def encrypted_by_sops(path: Path) -> bool:
    """Return whether a file carries sops' own record; one that was saved in clear by mistake does not."""
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return False
    return isinstance(found, dict) and isinstance(found.get("sops"), dict) and "mac" in found["sops"]


_NO_LOG = "who read it and when is written nowhere"
_NO_END = "a copy that somebody took works until the venue itself refuses it"
_BY_HAND = "golive cannot write it: rotate by hand, then run the playbooks again"
_ONE_KEY = "who can open one of these secrets can open all"
BACKENDS = {one.name: one for one in (
    Backend("vault", {}),
    Backend("sops", {"audit": _NO_LOG, "revocation": _NO_END, "rotation": _BY_HAND, "access per process": _ONE_KEY}, _sops),
    Backend("systemd_creds", {"audit": _NO_LOG, "revocation": _NO_END, "rotation": _BY_HAND}, _systemd_creds),
    Backend("env_file", {"encryption": "it lies in clear on the disk and in every backup of it", "audit": _NO_LOG, "revocation": _NO_END,
                         "rotation": _BY_HAND, "access per process": _ONE_KEY}, _env_file),
    Backend("file", {"encryption": "it lies in clear on the controller's disk", "audit": _NO_LOG, "revocation": _NO_END,
                     "rotation": _BY_HAND}),
)}
