"""The drill over both borders of the downtime, for real: a bot that keeps it, one that is an hour off, one that asks only at its start.

The stand-in bot knows no downtime; here it gets one, as a system with a downtime has it, and the breaks are made in that.
"""
from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from golive import judge
from golive.rehearsal.wire import downtime
from golive.rehearsal.wire.world import Copy, Exchange

from tests.integration.model_registry.world import compiled

ROOT = Path(__file__).resolve().parents[3]
APP = ROOT / "molecule/lab/bots/kraken_micro"
GATE = '''

import time as _time
def _closed(at=None):
    now = _time.gmtime(_time.time() if at is None else at)
    return {start} <= now.tm_hour < {end}
_AT_START = _time.time()
'''
ASKED = '    if _closed():\n        reasons.append("downtime")\n    if controls.exit_only:\n'
GOOD = (GATE.format(start=3, end=5), ASKED)
BREAKS = {"downtime_shifted_by_an_hour": (GATE.format(start=4, end=6), ASKED),
          "downtime_asked_at_start_only": (GOOD[0], ASKED.replace("_closed()", "_closed(_AT_START)"))}
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def drill(tmp_path: Path) -> Iterator[Callable[[tuple[str, str]], dict[str, Any]]]:
    exchanges, copies = [], list[Copy]()

    def run(gate: tuple[str, str]) -> dict[str, Any]:
        """Drive the drill with a bot of this gate and return its observation as the probe `drill` gives it."""
        app = tmp_path / "app"
        shutil.copytree(APP, app, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        risk = app / "kraken_micro/risk.py"
        text = risk.read_text()
        changed = text.replace("    if controls.exit_only:\n", gate[1], 1) + gate[0]
        assert changed.count("_closed(") == 2
        risk.write_text(changed)
        exchange = Exchange(tmp_path / "exchange", ROOT)
        exchanges.append(exchange)

        def make(mode: str, **changes: Any) -> Copy:
            assert changes.pop("downtime") == {"start": "03:00", "end": "05:00"}
            copies.append(Copy(tmp_path / str(len(copies)), app, exchange, mode, changes))
            return copies[-1]

        result, opportunities = downtime.orders_in_downtime(exchange, make)
        facts = {"passed": True, "age_days": 0, **{f"result.{name}": one for name, one in result.items()}}
        return {"facts": facts, "witness": "venue", "opportunities": opportunities}

    yield run
    for one in copies:
        one.end(9)
    for one in exchanges:
        one.stop()


def judged(observation: dict[str, Any]) -> judge.Judgement:
    return judge.judge(compiled("downtime.orders_blocked"), observation)


def test_a_bot_that_keeps_the_downtime_passes(drill: Callable[..., dict[str, Any]]) -> None:
    found = drill(GOOD)
    assert judged(found).verdict == "pass", found


@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_its_break_turns_the_control_red(drill: Callable[..., dict[str, Any]], fault: str) -> None:
    verdict = judged(drill(BREAKS[fault]))
    assert verdict.verdict == "fail", verdict.reason
    assert "orders_after_start" in verdict.reason
