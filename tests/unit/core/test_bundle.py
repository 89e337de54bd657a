"""What probes declare is read once for all workers of a run."""
from __future__ import annotations

from pathlib import Path

import pytest
from golive import bundle


def test_after_warming_no_probe_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle.warm()
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("read again"))
    assert {bundle.probe(name).name for name in bundle.probe_names()} == set(bundle.probe_names())


def test_a_malformed_probe_is_left_to_whoever_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "probe_names", lambda: ["not_there"])
    bundle.warm()
