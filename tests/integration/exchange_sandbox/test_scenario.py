"""Scenario files: taken step by step on the exchange's clock, checked before the first step."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import Sandbox, eventually

STEPS = [
    {"at_s": 0, "cruelty": {"name": "http_5xx", "params": {"status": 520}, "for_s": 3600, "account": "bot"}},
    {"at_s": 30, "stop": "http_5xx"},
    {"at_s": 40, "price": {"pair": "SHIBUSDT", "price": "0.00002"}},
    {"at_s": 50, "pattern": {"pair": "SHIBUSDT", "name": "freeze", "for_s": 600}},
    {"at_s": 60, "cruelty": {"name": "latency", "params": {"ms": 1}, "account": "nobody"}},
    {"at_s": 70, "clock": {"scale": 0}},
]


def test_steps_are_taken_when_they_are_due_and_problems_are_told(make_sandbox: Callable[..., Sandbox]) -> None:
    sandbox = make_sandbox(market={"deviation": 0.0001})
    sandbox.account("bot")
    sandbox.ask("POST", "clock", {"freeze": True}, 200)
    begun = sandbox.ask("POST", "scenario", {"steps": list(reversed(STEPS))}, 201)
    assert (begun["done"], len(begun["left"])) == (1, 5)

    def active() -> list[str]:
        return [item["name"] for item in sandbox.ask("GET", "cruelties")["active"]]

    assert active() == ["http_5xx"]
    sandbox.ask("POST", "clock", {"step": 31}, 200)
    assert (active(), sandbox.ask("GET", "scenario")["done"]) == ([], 2)
    sandbox.ask("POST", "clock", {"step": 10}, 200)
    assert 0.000019 < float(sandbox.ask("GET", "markets")["markets"]["SHIB/USDT"]["price"]) < 0.000021
    sandbox.ask("POST", "clock", {"step": 10}, 200)
    assert sandbox.ask("GET", "markets")["markets"]["SHIB/USDT"]["pattern"] == "freeze"
    sandbox.ask("POST", "clock", {"step": 20}, 200)
    told = sandbox.ask("GET", "scenario")
    assert (told["done"], told["left"]) == (6, [])
    assert told["problems"] == ["step 5 (cruelty at 60 g s): no account 'nobody'".replace(" g s", " s")]
    assert sandbox.ask("GET", "clock")["scale"] == 0.0


def test_a_file_begins_with_the_sandbox(make_sandbox: Callable[..., Sandbox], tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps({"steps": [{"at_s": 0.5, "cruelty": {"name": "maintenance", "for_s": 600}}]}))
    sandbox = make_sandbox(scenario=str(path))
    eventually(lambda: [item["name"] for item in sandbox.ask("GET", "cruelties")["active"]] == ["maintenance"], "the first step is taken")


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "expected a list of 1 to 1000 steps"),
        ([{"at_s": 1}], "steps[0]: expected at_s and one of"),
        ([{"at_s": 1, "stop": "latency", "price": {}}], "steps[0]: expected at_s and one of"),
        ([{"at_s": -1, "stop": "latency"}], "steps[0].at_s: expected a number"),
        ([{"at_s": 1, "stop": "lateny"}], "steps[0].stop: unknown cruelty 'lateny'"),
        ([{"at_s": 1, "stop": "latency"}, {"at_s": 1, "cruelty": {"name": "x"}}], "steps[1].cruelty.name: unknown cruelty 'x'"),
        ([{"at_s": 1, "cruelty": {"nam": "latency"}}], "steps[0].cruelty: expected an object with name, params"),
        ([{"at_s": 1, "pattern": {"name": "up"}}], "steps[0].pattern.name: expected one of"),
    ],
)
def test_a_wrong_step_is_refused_before_anything_happens(shared: Sandbox, steps: Any, words: str) -> None:
    assert words in shared.ask("POST", "scenario", {"steps": steps}, 400)["error"]
    assert shared.ask("GET", "cruelties")["active"] == []
