"""Whatever the run directory holds, a report can be made of it, and damage never makes it more hopeful."""
from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from golive.report import build, write
from golive.report.__main__ import main

ODD: tuple[Any, ...] = (None, 5, -1.5, True, [], {}, "", "x", [[]], {"a": []}, ["a", 5], "\x1b[31mred", "2026-11-21T10:15:00Z", 10**30,
                        {"verdict": {}}, "pass", "live", "controller", "<b>", "\ud800", "a" * 10_000)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in _places(one, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = _replaced(value[key], tuple(rest), by)
    return copy


def _damage(folder: Path, seed: int, count: int = 6) -> None:
    """Replace some values somewhere in the records by values of another kind."""
    chance = random.Random(seed)  # the same damage for the same seed
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".json", ".jsonl") and not path.name.startswith("plan.")]
    for path in chance.choices(files, k=count):
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        documents = [json.loads(line) for line in lines if line]
        if not documents:
            continue
        number = chance.randrange(len(documents))
        documents[number] = _replaced(documents[number], chance.choice(_places(documents[number])), chance.choice(ODD))
        path.write_text("\n".join(json.dumps(one) for one in documents))


# Most of these seeds broke something once.
@pytest.mark.parametrize("seed", [8, 23, 119, 134, 164, 245, 346, 499, 562])
def test_any_damage_gives_a_report_of_every_format_and_edition(runs: ModuleType, tmp_path: Path, seed: int) -> None:
    folder = (runs.live() if seed % 4 == 0 else runs.realistic()).write(tmp_path)
    _damage(folder, seed)
    assert len(write(build(folder), folder)) == 5
    assert len(write(build(folder, shared=True), folder / "share")) == 5


def test_one_format_that_cannot_be_made_does_not_take_the_others_with_it(
        runs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.realistic().write(tmp_path)
    monkeypatch.setattr("golive.report.oscal.as_data", lambda report: {"assessment-results": {}})
    assert main([str(folder), "--quiet"]) == 2
    assert "oscal.json" in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} >= {"report.json", "report.html", "junit.xml", "golive.prom"}
    assert not (folder / "oscal.json").exists()


def test_full_disk_is_one_sentence_and_the_old_report_stays(
        runs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = runs.realistic().write(tmp_path)
    assert main([str(folder), "--quiet"]) == 0
    before = (folder / "report.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert main([str(folder), "--quiet"]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert "No space left on device" in told[0]
    assert (folder / "report.json").read_bytes() == before
