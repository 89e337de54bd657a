"""`scripts/known_good.py NAME COMMAND…`: run a check, unless it has passed already on exactly the files as they are.

For a check whose outcome rests on the repository's files alone and that takes minutes. A pass is kept in the cache, outside the checkout,
by the command, this Python and every file that git knows or does not ignore; a failure is never kept.
"""
from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from golive.lab.cache import cache_dir, content_key
from golive.rundir import write_atomic

ROOT = Path(__file__).resolve().parents[1]


def key(command: list[str]) -> str:
    """Return the key of a pass. Raises CalledProcessError outside a git checkout."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True).stdout
    files = [path for name in os.fsdecode(listed).split("\0") if (path := ROOT / name).is_file()]
    return content_key(files, ROOT, *command, sys.version)


def main() -> int:
    """Run the command, or say when it passed; returns its exit code."""
    name, *command = sys.argv[1:]
    try:
        kept = cache_dir() / "passed" / f"{name}-{key(command)}"
    except (OSError, subprocess.CalledProcessError):
        return subprocess.run(command, check=False).returncode
    if kept.is_file():
        print(f"passed on these very files at {kept.read_text('ascii').strip()}")
        return 0
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        kept.parent.mkdir(exist_ok=True)
        write_atomic(kept, f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC\n".encode())
    return code


if __name__ == "__main__":
    sys.exit(main())
