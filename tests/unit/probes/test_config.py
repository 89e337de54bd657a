"""Configuration: what is loaded is held against the disk; a file that is not clearly one object is undecided."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import config

from .fake_look import FakeLook

DISK = {"mode": "wire", "size": 5.0, "pairs": ["A/B"], "risk": {"max": 10.0, "on": True}, "faults": {}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "c.json").write_text(json.dumps(DISK))
    return tmp_path / "c.json"


def observe(path: Path, loaded: Any = None, **ask: Any) -> Any:
    look = FakeLook({"/health": {"config": loaded}} if loaded is not None else {})
    found = config.observe({"path": str(path), **({"health_url": "http://127.0.0.1:1/health"} if loaded is not None else {}), **ask}, look)
    return found if isinstance(found, dict) else found.facts


def test_the_same_values_in_another_spelling_are_equal(path: Path) -> None:
    assert observe(path, {**DISK, "size": "5.0", "risk": {"max": "10", "on": True}})["loaded_equals_disk"] is True


@pytest.mark.parametrize("change", [{"size": "7"}, {"mode": "live"}, {"risk": {"max": 10, "on": 1}}, {"risk": {"max": 10}}, {"more": 1},
                                    {"pairs": ["A/B", "C/B"]}, {"size": None}, {"size": "5.0 "}])  # fmt: skip
def test_every_other_value_is_seen(path: Path, change: dict[str, Any]) -> None:
    facts = observe(path, {**DISK, **change})
    assert facts["loaded_equals_disk"] is False
    assert facts["loaded_differs"]


def test_unknown_and_missing_keys_are_named(path: Path) -> None:
    facts = observe(path, schema=["mode", "size", "pairs", "risk", "stage"])
    assert (facts["unknown_keys"], facts["missing_keys"]) == (["faults"], ["stage"])


def test_wanted_values_are_compared_with_the_running_process(path: Path) -> None:
    wanted = {"risk.max": 10, "risk.on": True, "size": 5, "absent.key": 1}
    assert observe(path, DISK, wanted=wanted)["different"] == ["absent.key"]
    assert observe(path, {**DISK, "size": 25}, wanted=wanted)["different"] == ["absent.key", "size"]


def test_values_come_from_the_process_when_it_is_asked(path: Path) -> None:
    assert observe(path, {**DISK, "size": "7"})["value.size"] == "7"
    assert observe(path)["value.size"] == 5.0


def test_a_secret_in_a_configuration_is_never_reported(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"api_key": "canary-1", "venue": {"secret": "canary-2"}, "token": "canary-3"}')
    assert "canary" not in json.dumps(observe(tmp_path / "c.json", {"password": "canary-4"}))


@pytest.mark.parametrize("content", ["", "[]", "{", "nul", '{"a": 1, "a": 2}', '{"a":' * 3000, "\udcff", " " * (1 << 21)])
def test_a_malformed_file_is_undecided(tmp_path: Path, content: str) -> None:
    (tmp_path / "c.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(Undecided):
        observe(tmp_path / "c.json")


@pytest.mark.parametrize("answer", [{}, {"config": []}, b"<html>", b"\xff", {"config": None}])
def test_a_process_that_shows_no_configuration_is_undecided(path: Path, answer: Any) -> None:
    with pytest.raises(Undecided):
        config.observe({"path": str(path), "health_url": "http://127.0.0.1:1/health"}, FakeLook({"/health": answer}))


@pytest.mark.parametrize("instance", ["", "../../etc/shadow", "a/b", "x" * 99, "é"])
def test_an_instance_is_a_plain_name(instance: str) -> None:
    with pytest.raises(Undecided):
        config.observe({"instance": instance}, FakeLook())
