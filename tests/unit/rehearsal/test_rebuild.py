"""The rebuild is read out of the runs: only hosts that were bare, only the same release, only a gate that opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.rehearsal import rebuild

RELEASE, HOSTS = "sha256:" + "a" * 64, ["bot", "venue"]
MADE = [("dir:/etc/golive", "create"), ("package:chrony", "install")]
GREEN = {"control": "a.b", "verdict": "pass", "closes": False}


def run(reports: Path, hour: int, bare: Any = HOSTS, *, mode: str = "real", opened: bool | None = True, release: str = RELEASE,
        made: Any = MADE, verdicts: Any = (GREEN,), check: bool = False) -> None:  # fmt: skip
    path = reports / f"20261121T{hour:02d}0000Z-aaaaaa"
    (path / "paper").mkdir(parents=True)
    (path / "run.json").write_text(json.dumps({"mode": mode, "started": f"2026-11-21T{hour:02d}:00:00Z", "run": path.name}))
    (path / "release.json").write_text(json.dumps({"artifact": release}))
    lines = [{"host": host, "object": name, "op": op, "check": check} for host in bare for name, op in made]
    (path / "changes.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"host": "bo')  # killed while writing
    if opened is not None:
        gate = {"open": opened, "at": f"2026-11-21T{hour:02d}:04:00Z", "verdicts": list(verdicts)}
        (path / "paper/gate.json").write_text(json.dumps(gate))


def found(reports: Path) -> dict[str, Any] | None:
    return rebuild.last(rebuild.read(reports), RELEASE, HOSTS)


def test_from_bare_hosts_to_an_open_gate_in_one_run(tmp_path: Path) -> None:
    run(tmp_path, 10)
    payload = found(tmp_path)
    assert payload is not None
    assert (payload["passed"], payload["opportunities"], payload["result"]["rto_s"]) == (True, 2, 240.0)
    assert (payload["result"]["controls_red"], payload["result"]["controls_green"]) == (0, 1)


def test_the_time_begins_with_the_first_host_and_ends_with_the_run_that_opened_the_gate(tmp_path: Path) -> None:
    run(tmp_path, 10, ["venue"], opened=None)
    run(tmp_path, 11, ["bot"], opened=False)
    run(tmp_path, 12, [])
    payload = found(tmp_path)
    assert payload is not None
    assert payload["result"]["rto_s"] == 2 * 3600 + 240


@pytest.mark.parametrize("changes", [
    {"bare": ["bot"]}, {"mode": "check"}, {"opened": False}, {"opened": None}, {"release": "sha256:" + "b" * 64},
    {"made": MADE[:1]}, {"made": MADE[1:]}, {"check": True}])  # fmt: skip
def test_what_was_not_rebuilt_is_no_rebuild(tmp_path: Path, changes: dict[str, Any]) -> None:
    run(tmp_path, 10, **changes)
    assert found(tmp_path) is None


def test_a_gate_that_opened_before_the_hosts_were_bare_again_proves_nothing(tmp_path: Path) -> None:
    run(tmp_path, 10)
    run(tmp_path, 11, opened=False)
    assert found(tmp_path) is None


def test_what_closes_a_gate_counts_as_red_and_the_rest_is_named(tmp_path: Path) -> None:
    run(tmp_path, 10, verdicts=[GREEN, {"control": "x.y", "verdict": "fail", "closes": False},
                                {"control": "k.l", "verdict": "undecided", "closes": True}])  # fmt: skip
    payload = found(tmp_path)
    assert payload is not None
    assert (payload["result"]["controls_red"], payload["result"]["red_that_close_nothing"]) == (1, ["x.y"])


def test_no_hosts_are_no_rebuild(tmp_path: Path) -> None:
    run(tmp_path, 10)
    assert rebuild.last(rebuild.read(tmp_path), RELEASE, []) is None
