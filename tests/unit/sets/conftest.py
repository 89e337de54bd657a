"""A host in a directory: account tables with the user who runs the tests as `me`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from golive.sets.system import System


@pytest.fixture
def host(tmp_path: Path) -> System:
    """Return a host whose root is a temporary directory; `me` and `root` are both the user who runs the tests."""
    return make_host(tmp_path)


def make_host(place: Path) -> System:
    """Lay out /etc/passwd, /etc/group and /etc/shadow below a directory."""
    (place / "etc").mkdir(parents=True)
    (place / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/home/me:/bin/sh\n")
    (place / "etc/group").write_text(f"me:x:{os.getgid()}:\n")
    (place / "etc/shadow").write_text("me:*:19000:0:99999:7:::\n")
    return System(str(place))
