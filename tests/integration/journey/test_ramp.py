"""The later stages of the ramp on the lab of the journey: two lifts on signed records, none skipped, none without a record, and back.

It goes on from the lab as `make golive` leaves it (live, stage 1) and brings it there first where it is not. It runs with `make prove`
only: it takes minutes, and shares its hosts with the journey.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.lab, pytest.mark.journey, pytest.mark.timeout(3600)]
ROOT = Path(__file__).resolve().parents[3]
INVENTORY = Path(os.environ.get("GOLIVE_INVENTORY") or ROOT / "inventories/kraken-micro/lab.yml")
REPORTS = ROOT / "reports/kraken-micro"
Play = Callable[[str, str], "Run"]


class Run:
    """How a playbook ended, what it said, and where its records are."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.code, self.output, self.path = done.returncode, done.stdout + done.stderr, (REPORTS / "latest").resolve()

    def changes(self) -> set[tuple[str, str]]:
        file = self.path / "changes.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return {(one["object"], one["op"]) for one in lines}


def on_bot(*command: str) -> str:
    done = subprocess.run([sys.executable, "-m", "golive.lab", "exec", "--inventory", str(INVENTORY), "bot", "--", *command], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def live_configuration() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on_bot("cat", "/etc/bot/live.json"))
    return found


def shown() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(on_bot("python3", "-ISE", "/usr/local/lib/golive/ticket.py", "show"))
    return found


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Run a playbook with the inventory as it would be after somebody changed `ramp_stage_now` in a reviewed commit."""
    def run(playbook: str, stage: str) -> Run:
        place = tmp_path_factory.mktemp(stage) / "kraken-micro"
        (place / "group_vars/all").mkdir(parents=True)
        for name in ("lab", "known_hosts"):
            (place / name).symlink_to(INVENTORY.parent / name)
        for source in (INVENTORY.parent / "group_vars").iterdir():
            if source.name != "all":
                (place / "group_vars" / source.name).symlink_to(source)
        (place / "lab.yml").write_text(INVENTORY.read_text())
        for source in (INVENTORY.parent / "group_vars/all").iterdir():
            text = source.read_text()
            if source.name == "ramp.yml":
                text = re.sub(r"^ramp_stage_now: .*$", f"ramp_stage_now: *{stage}", text, flags=re.MULTILINE)
            (place / "group_vars/all" / source.name).write_text(text)
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        return Run(subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", str(place / "lab.yml")], cwd=ROOT,
                                  env=environment, capture_output=True, text=True, check=False))
    return run


def test_the_journey_ends_live_in_the_first_stage(play: Play) -> None:
    run = play("golive.yml", "day1")
    assert run.code == 0, run.output[-4000:]
    assert (shown()["state"], shown()["ticket"]["stage"]) == ("valid", "day1")
    assert live_configuration()["position_size_usdt"] == 5.0


def test_golive_itself_lifts_nothing_and_the_bot_stays_within_what_is_signed(play: Play) -> None:
    run = play("golive.yml", "day3")
    assert run.code == 2
    assert "a stage is lifted by playbooks/operate/ramp.yml" in " ".join(run.output.split())
    assert shown()["ticket"]["stage"] == "day1"


def test_no_stage_is_skipped(play: Play) -> None:
    run = play("playbooks/operate/ramp.yml", "day5")
    assert run.code == 2
    assert "no stage is skipped" in " ".join(run.output.split())
    assert shown()["ticket"]["stage"] == "day1"


@pytest.mark.parametrize(("stage", "size", "pairs", "record"), [
    ("day3", 7.0, ["SHIB/USDT"], "ramp_stage_2"), ("day5", 7.0, ["SHIB/USDT", "XRP/USDT"], "ramp_stage_3")])
def test_the_next_stage_comes_on_the_signed_record_of_the_one_before(play: Play, stage: str, size: float, pairs: list[str],
                                                                    record: str) -> None:
    run = play("playbooks/operate/ramp.yml", stage)
    assert run.code == 0, run.output[-4000:]
    assert (shown()["state"], shown()["ticket"]["stage"]) == ("valid", stage)
    configuration = live_configuration()
    assert (configuration["position_size_usdt"], configuration["trade_pairs"]) == (size, pairs)
    assert on_bot("systemctl", "is-active", "bot-live.service").strip() == "active"
    signed = sorted((REPORTS / "evidence").glob(f"{record}-*.json"))
    assert json.loads(signed[-1].read_text())["payload"]["result"]["signed"] is True
    again = play("playbooks/operate/ramp.yml", stage)
    assert (again.code, again.changes()) == (0, set()), again.output[-4000:]


def test_a_stage_is_lowered_without_a_record(play: Play) -> None:
    run = play("golive.yml", "day1")
    assert run.code == 0, run.output[-4000:]
    assert shown()["ticket"]["stage"] == "day1"
    assert live_configuration()["position_size_usdt"] == 5.0
