"""The edition for other eyes: whatever nobody has allowed stays at home."""
from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from golive.report import build, write
from golive.report.__main__ import main

SECRETIVE = "zzq"
"""Stands in every value of the world below that is not allow-listed; it must be in no shared file."""


@pytest.fixture
def world(runs: ModuleType) -> Any:
    world = runs.realistic()
    world.values = {"kill_switch_phone_path": SECRETIVE, "limit": SECRETIVE}
    world.shadowing = []
    world.release["configuration"] = f"sha256:{SECRETIVE}"
    world.audit.append({"seq": 8, "at": runs.stamp(41), "run": runs.RUN, "actor": SECRETIVE, "act": "run.note", "subject": SECRETIVE,
                        "detail": {"note": SECRETIVE}})
    world.hosts[0]["text"] = SECRETIVE
    world.changes[0].update(object=f"file:/{SECRETIVE}", before=SECRETIVE, task=SECRETIVE)
    for records in world.judged.values():
        for one in records:
            one.update(reason=SECRETIVE if one["verdict"] != "pass" else "as wanted",
                       seen={**one["seen"], "address": SECRETIVE, "status": f"{SECRETIVE}.example.org", "missing": [f"/{SECRETIVE}"]},
                       wanted={**one["wanted"], "address": {"eq": SECRETIVE}})
    world.judged["verify"][0]["witness"] = SECRETIVE
    world.judged["verify"][1].update(verdict=SECRETIVE, opportunities=SECRETIVE)
    world.observe("verify", "bot", control="account.opening_state", probe="exchange_account", witness="venue",
                  facts={"equity": f"{SECRETIVE}7", "tls_name": SECRETIVE})
    return world


def test_nothing_that_is_not_allowed_is_in_any_shared_file(world: Any, tmp_path: Path) -> None:
    folder = world.write(tmp_path)
    leaks = [path.name for path in write(build(folder), folder) if SECRETIVE in path.read_text()]
    assert leaks                                       # the own edition does show them: the test can see
    shared = write(build(folder, shared=True), folder / "share")
    assert len(shared) == 5
    for path in shared:
        text = path.read_text()
        assert SECRETIVE not in text, path.name
        assert not re.search(r"\b\d{1,3}(\.\d{1,3}){3}\b", text), path.name
        assert not re.search(r"104\.20|api\.venue", text), path.name


def test_host_names_are_replaced_and_still_told_apart(world: Any, tmp_path: Path) -> None:
    report = build(world.write(tmp_path), shared=True)
    assert [host.name for host in report.hosts] == [f"host {number}" for number in range(1, 7)]
    assert [host.state for host in report.hosts].count("unreachable") == 1


def test_verdicts_and_counts_are_the_same_as_at_home(runs: ModuleType, tmp_path: Path) -> None:
    folder = runs.realistic().write(tmp_path)
    own, shared = build(folder), build(folder, shared=True)
    assert own.counts == shared.counts
    assert own.first.sentence == shared.first.sentence
    assert [control.verdict for control in own.controls] == [control.verdict for control in shared.controls]
    assert own.last_at == shared.last_at


def test_what_was_left_out_does_not_read_as_not_seen(runs: ModuleType, tmp_path: Path) -> None:
    report = build(runs.realistic().write(tmp_path), shared=True)
    assert {one.value for one in report.first.exposure} == {"left out of this edition"}
    assert report.first.top[0].seen == "rights.withdraw: yes"


def test_command_writes_it_beside_the_own_edition(runs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.realistic().write(tmp_path)
    assert main([str(folder), "--share", "--quiet"]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "share" / "report.html")
    assert json.loads((folder / "share" / "report.json").read_text())["summary"]["shared"] is True
    assert not (folder / "report.json").exists()
