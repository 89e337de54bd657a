"""A secret is on the target in its own file and nowhere else, and in no output at -vvvv. Drift changes nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import Lab

pytestmark = pytest.mark.lab

CANARY = "canary-5d1c-9e77-secret"


def test_a_secret_leaves_no_trace_on_either_side(shared: Lab, tmp_path: Path) -> None:
    value = tmp_path / "value"
    value.write_text(CANARY)
    value.chmod(0o600)
    wanted = {"files": [{"path": "/run/key", "secret": f"file:{value}", "mode": "0600"}]}
    play = {"tasks": [{"managed_files": wanted}]}
    runs = [
        shared.run(play, "--check", "--diff", "-vvvv").must(),
        shared.run(play, "--diff", "-vvvv").must(),
        shared.run(play, "-vvvv").must(),
    ]
    assert [run.objects for run in runs] == [[("file:/run/key", "create")], [("file:/run/key", "create")], []]
    assert shared.inside("cat", "/run/key") == CANARY
    assert [run for run in runs if CANARY in run.text] == []
    found = shared.inside("sh", "-c", f"grep -rlsF {CANARY} /root /home /tmp /var /etc /run /dev/shm || true").split()
    assert found == ["/run/key"]
    ours = subprocess.run(["grep", "-rlsF", CANARY, os.path.expanduser("~/.ansible")], capture_output=True, text=True, check=False)
    assert ours.stdout == ""


def test_a_task_without_check_mode_is_refused_in_drift(shared: Lab) -> None:
    play = {"tasks": [{"managed_files": {"files": [{"path": "/etc/x", "content": "x"}]}}], "vars": {"golive_dry": True}}
    result = shared.run(play)
    assert result.rc != 0
    assert "this run was opened as drift and must change nothing" in result.text
    assert shared.tool("exec", "subject", "--", "test", "-e", "/etc/x").returncode == 1
