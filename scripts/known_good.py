"""`scripts/known_good.py NAME COMMAND…`: run a check, unless it has passed already on exactly the files as they are.

For a check whose outcome rests on the repository's files alone and that takes minutes. A pass is kept outside the checkout
($GOLIVE_CACHE, else ~/.cache/golive) by the digest of the command, of this Python and of every file that git knows or does not ignore,
without those of which the check is told to look away; a failure is never kept. Standard library only.
"""
from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: what `.ansible-lint` excludes and no playbook or role reads while it is linted
NOT_READ = ("tests/", "docs/", "checklists/", "controls/", "changelogs/", "exchange_sandbox/", "molecule/lab/bots/")


def key(command: list[str]) -> str:
    """Return the digest of the command, of the Python and of the files. Raises CalledProcessError outside a git checkout."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True).stdout
    digest = hashlib.sha256(repr(([Path(command[0]).name, *command[1:]], sys.version)).encode())
    for name in sorted(set(os.fsdecode(listed).split("\0")) - {""}):
        path = ROOT / name
        if name.startswith(NOT_READ) or not path.is_file():
            continue
        digest.update(f"{name}\0{path.stat().st_mode & 0o111}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def main() -> int:
    """Run the command, or say when it passed; returns its exit code."""
    name, *command = sys.argv[1:]
    try:
        kept = Path(os.environ.get("GOLIVE_CACHE") or "~/.cache/golive").expanduser() / "passed" / f"{name}-{key(command)}"
    except (OSError, subprocess.CalledProcessError):
        return subprocess.run(command, check=False).returncode
    if kept.is_file():
        print(f"passed on these very files at {kept.read_text('ascii').strip()}")
        return 0
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n", "ascii")
    return code


if __name__ == "__main__":
    sys.exit(main())
