"""The miniature of tests/integration/core, and what is demanded of every ending here: one clear message, nothing lost, no traceback."""
from __future__ import annotations

import re
import subprocess
from pathlib import Path

from ..core.conftest import Mini, mini

__all__ = ["Mini", "mini"]
OPEN = "playbooks/open.yml"


def says(done: subprocess.CompletedProcess[str], words: str, code: int = 2) -> str:
    """Assert that a run ended with one message that holds these words, and return the message."""
    text = done.stdout + done.stderr
    assert done.returncode == code, text[-3000:]
    assert "Traceback" not in text
    told = re.findall(r"^\[ERROR\]: (?:Task failed: Action failed: )?(.*)$", text, re.MULTILINE)
    assert len(told) == 1, text[-3000:]
    assert words in told[0], told
    return str(told[0])


def untouched(mini: Mini) -> bool:
    """Return whether no host was looked at."""
    return not list(Path(mini.path).glob("reports/slice/*/preflight"))
