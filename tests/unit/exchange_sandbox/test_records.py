"""The long runs of the sandbox were carried out with this very code, and were green.

Red after a change of the code: run `python -m tests.integration.exchange_sandbox.long_runs fuzz --record` and the same with `good`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.exchange_sandbox.long_runs import RECORDS, digest

REQUESTS = 100_000


def _record(name: str) -> dict[str, object]:
    path = RECORDS / ("sandbox_%s.json" % name)
    assert path.exists(), "%s is missing: python -m tests.integration.exchange_sandbox.long_runs %s --record" % (path, name)
    return dict(json.loads(path.read_text()))


@pytest.mark.parametrize("name", ["fuzz", "good"])
def test_the_record_is_green_whole_and_of_this_code(name: str) -> None:
    record = _record(name)
    assert record["passed"] is True
    assert int(str(record["requests"])) >= REQUESTS
    assert record["digest"] == digest(), "the sandbox has changed since the run of %s; run it again and commit its record" % record["at"]


def test_the_digest_covers_every_file_of_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.integration.exchange_sandbox import long_runs

    (tmp_path / "exchange_sandbox/venues").mkdir(parents=True)
    (tmp_path / "exchange_sandbox/venues/a.py").write_text("one = 1\n")
    monkeypatch.setattr(long_runs, "ROOT", tmp_path)
    before = digest()
    (tmp_path / "exchange_sandbox/venues/a.py").write_text("one = 2\n")
    assert digest() != before
