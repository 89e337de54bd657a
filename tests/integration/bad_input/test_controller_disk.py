"""A controller without space ends a run in one sentence; what was written before stays whole and readable."""
from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import Mini, says, untouched

pytestmark = pytest.mark.timeout(1200)
# A mount that only the run sees; without root's rights in a user namespace of its own.
NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]


def on_a_small_disk(mini: Mini, kib: int, *command: str) -> list[str]:
    """Return a command that runs with the folder of the reports on a disk of its own."""
    (mini.path / "reports").mkdir(mode=0o700)
    mount = f'mount -t tmpfs -o size={kib}k,mode=700 golive {mini.path}/reports && exec "$@"'
    return [*NAMESPACE, "sh", "-c", mount, "sh", *command]


def test_no_space_at_the_opening_is_one_sentence_and_no_host_is_looked_at(mini: Mini) -> None:
    mini.write()
    done = subprocess.run(on_a_small_disk(mini, 12, *mini.command()), cwd=mini.path, env=mini.environment(), text=True, capture_output=True,
                          check=False, timeout=600)
    told = says(done, "cannot be written, found No space left on device; free space or mend the permissions and run again")
    assert told.startswith(str(mini.path / "reports/slice"))
    assert untouched(mini)


@contextlib.contextmanager
def blocked(mini: Mini) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run on a small disk that waits for a number in the phase verify; yields it and its reports as seen from outside."""
    mini.controls["middle.holds"]["ask"] = {"path": str(mini.numbers / "pipe")}
    os.mkfifo(mini.numbers / "pipe")
    mini.write()
    command = on_a_small_disk(mini, 4096, *mini.command())
    with subprocess.Popen(command, cwd=mini.path, env=mini.environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        seen = Path(f"/proc/{run.pid}/root{mini.path}/reports/slice")
        try:
            _await((seen / "latest/verify/plan.alpha.json").exists)
            yield run, seen
        finally:
            run.kill()


def test_no_space_in_the_middle_of_a_run_ends_it_in_one_sentence_and_loses_nothing(mini: Mini) -> None:
    with blocked(mini) as (run, seen):
        before = {path.relative_to(seen): path.read_bytes() for path in seen.rglob("*.json")}
        with contextlib.suppress(OSError), (seen / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 65536):
                pass
        for _host in ("alpha", "beta"):
            with open(mini.numbers / "pipe", "w") as pipe:
                pipe.write("5")
        out, err = run.communicate(timeout=600)
        done = subprocess.CompletedProcess(run.args, run.returncode, out, err)
        assert done.returncode == 2
        assert "No space left on device" in out + err
        assert "Traceback" not in out + err
        assert not (seen / "latest/verify/gate.json").exists(), "nothing is judged that could not be written down"
        after = {path.relative_to(seen): path.read_bytes() for path in seen.rglob("*.json")} if seen.exists() else before
        assert {name: after.get(name) for name in before} == before
        assert [name for name, data in after.items() if not _is_whole(data)] == []


def _is_whole(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def _await(condition: Callable[[], bool], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)
