"""The command line of what a rehearsal files records of: which system, where to, and which of it."""
from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .. import session
from ..errors import GoliveError

Act = Callable[[str, list[str], Path], Iterable[str]]
"""Does (system, names, directory); gives one line each."""


def answer(prog: str, description: str | None, option: str, names: Iterable[str], act: Act, arguments: Sequence[str] | None) -> int:
    """Do what was asked for, all of it by default; 0 done (also when it came out red), 2 not done."""
    parser = argparse.ArgumentParser(prog=f"python -m {prog}", description=description)
    parser.add_argument("--system", required=True)
    parser.add_argument("--directory", type=Path, help="where records are filed; reports/<system>/evidence is the default")
    parser.add_argument(option, dest="names", action="append", choices=sorted(names))
    chosen = parser.parse_args(arguments)
    directory = chosen.directory or session.ROOT / "reports" / chosen.system / "evidence"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for line in act(chosen.system, chosen.names or list(names), directory):
            print(line)
    except (GoliveError, OSError, subprocess.SubprocessError) as exc:
        print(exc, file=sys.stderr)
        return 2
    return 0
