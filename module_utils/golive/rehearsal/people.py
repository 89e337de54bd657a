"""What the operator of a rehearsal can state about the controller, because this machine can be asked. What it cannot tell is not stated.

In production a person looks and signs (docs/how-to/attest.md). A value is stated as it was found, also when it is a bad one.
"""
from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[[list[str]], str | None]
NO_LOGIN = ("nologin", "false", "sync", "halt", "shutdown")


def run(argv: list[str]) -> str | None:
    """Return what a command printed, None when it cannot be run or fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None


def controller(root: Path, ask: Run = run, passwd: Path = Path("/etc/passwd"),
               lists: Path = Path("/var/lib/apt/lists")) -> list[dict[str, Any]]:
    """Return the statements about this machine that can be made: `{statement, role, values}` each."""
    found = {"controller.disk_encrypted": _disk(root, ask), "controller.logins_known": _logins(passwd),
             "controller.updated": _updates(ask, lists)}
    return [{"statement": name, "role": "operator", "values": values} for name, values in found.items() if values is not None]


def _disk(root: Path, ask: Run) -> dict[str, Any] | None:
    """Follow the file system of the repository down to the disks; an overlay or a network place cannot be followed."""
    source = ask(["findmnt", "--noheadings", "--output", "SOURCE", "--target", str(root)])
    device = re.sub(r"\[.*\]$", "", (source or "").strip())
    layers = ask(["lsblk", "--inverse", "--json", "--output", "NAME,TYPE", device]) if device.startswith("/dev/") else None
    if layers is None:
        return None
    encrypted = '"type":"crypt"' in json.dumps(json.loads(layers), separators=(",", ":"))
    return {"encrypted": encrypted, "method": "dm-crypt" if encrypted else "none seen below the file system"}


def _logins(passwd: Path) -> dict[str, Any] | None:
    """Count the accounts that can log in. A rehearsal knows the superuser and nobody else."""
    try:
        rows = [line.split(":") for line in passwd.read_text("utf-8").splitlines() if line.count(":") == 6]
    except OSError:
        return None
    names = [row[0] for row in rows if not row[6].endswith(NO_LOGIN) and (row[2] == "0" or int(row[2]) >= 1000)]
    return {"people_with_login": len(names), "all_known": set(names) <= {"root"}}


def _updates(ask: Run, lists: Path) -> dict[str, Any] | None:
    """Count pending security updates; without a list of them nothing is known. Listing them costs a quarter of a simulated upgrade."""
    # apt names a list by archive, suite and component; to have apt say which ones it holds takes a second where nothing keeps its cache.
    held = any("security" in one.name and "_Packages" in one.name for one in lists.glob("*"))
    told = ask(["apt", "list", "--upgradable"]) if held else None
    if told is None:
        return None
    return {"pending_security_updates": len(re.findall(r"^[^/\s]+/\S*security", told, re.MULTILINE))}
