"""A kill machine that dies behind any one of its requests: the other machine comes to the end that the profile wants.

The first dies exactly behind the answer to its n-th request (all of its threads at once, as by a power cut). `make test` dies at a seeded
few, `--full` at every one.
"""
from __future__ import annotations

import concurrent.futures
import json
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.exchange_sandbox.conftest import Sandbox
from tests.integration.kill_switch import pairs
from tests.integration.kill_switch.binance_scene import binance  # noqa: F401 (fixture)
from tests.integration.kill_switch.faults import Futures, Kraken
from tests.integration.kill_switch.scene import FILE

SLICE, DIED, MOST, SLOT_S = 2, 9, 100, 8
# The file as it is installed, with a death behind the n-th answer that it hears.
DYING = """
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("kill_switch", sys.argv[1])
switch = importlib.util.module_from_spec(spec)
sys.modules["kill_switch"] = switch
spec.loader.exec_module(switch)
real, heard, last = switch.Line.ask, [], int(sys.argv[2])
def ask(self, *args):
    answer = real(self, *args)
    heard.append(1)
    if len(heard) == last:
        os._exit(%d)
    return answer
switch.Line.ask = ask
sys.exit(switch.main(sys.argv[3:]))
""" % DIED


def world_of(sandbox: Sandbox, folder: Path, venue: str, policy: str) -> Any:
    """Return an account with a protected position, entries, and the owner's own things beside them."""
    world: Any = (Kraken if venue == "kraken" else Futures)(sandbox, folder, policy, random.Random(folder.name))
    world.owner()
    world.build()
    return world


def await_turn() -> None:
    """Wait until the first machine's turn begins, so that it does not only ask whose turn it is."""
    while not 0.8 < time.time() % (2 * SLOT_S) < 1.2:
        time.sleep(0.02)


def machine(world: Any, rank: int, *, last: int | None = None) -> list[str]:
    """Return the command of one of two kill machines; `last`: the request behind which it dies."""
    kept = dict(world.scene.settings)
    world.scene.settings.update(turn={"slot_s": SLOT_S, "rank": rank, "of": 2}, epoch_directory=str(world.folder / f"epoch{rank}"))
    command = list(world.scene.command(name=f"machine{rank}.json"))
    world.scene.settings = kept
    return command if last is None else [sys.executable, "-sE", "-c", DYING, str(FILE), str(last), *command[command.index(str(FILE)) + 1:]]


def dies_at(sandbox: Sandbox, folder: Path, venue: str, policy: str, last: int) -> tuple[bool, list[str]]:
    """Return whether the first machine died there (it may have ended before), and what is wrong in the end."""
    world = world_of(sandbox, folder, venue, policy)
    await_turn()
    first = subprocess.run(machine(world, 0, last=last), capture_output=True, text=True, check=False, timeout=pairs.PATIENCE_S)
    if first.returncode != DIED:
        return False, [] if first.returncode == 0 else [f"behind request {last}: exit {first.returncode}: {first.stderr[-300:]}"]
    second = subprocess.run(machine(world, 1), capture_output=True, text=True, check=False, timeout=pairs.PATIENCE_S)
    lines = [line for line in second.stdout.splitlines() if line.startswith("{")]
    if second.returncode != 0 or not lines:
        return True, [f"behind request {last}: the other machine ended with {second.returncode}: {second.stdout[-400:]}"]
    wrong = [*pairs.judge(world, json.loads(lines[-1])), *(text for text in (check() for check in world.must_hold) if text)]
    return True, [f"behind request {last}: {text}" for text in wrong]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("policy", ["hold", "flatten"])
@pytest.mark.parametrize("venue", ["kraken", "binance_usdm"])
def test_wherever_the_first_machine_dies_the_second_comes_to_the_end(
        venue: str, policy: str, binance: Sandbox, tmp_path: Path, pytestconfig: pytest.Config) -> None:  # noqa: F811
    whole = world_of(binance, tmp_path / "whole", venue, policy)
    before = len(pairs.requests(whole, whole.scene.account))
    await_turn()
    assert subprocess.run(machine(whole, 0), capture_output=True, check=False, timeout=pairs.PATIENCE_S).returncode == 0
    # Public questions are not of the account, so there are a few more; those behind the end are found out by not dying.
    most = min(MOST, len(pairs.requests(whole, whole.scene.account)) - before + 4)
    places = list(range(1, most + 1))
    if not pytestconfig.getoption("--full"):
        places = random.Random(datetime.now(UTC).strftime("%Y%m%d") + venue + policy).sample(places[:-4], SLICE)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda last: dies_at(binance, tmp_path / f"dies{last}", venue, policy, last), places))
    print(f"{venue} {policy}: died behind {sum(died for died, _ in done)} of {len(places)} requests")
    assert sum(died for died, _ in done) >= min(len(places), SLICE)
    assert most < MOST, "places behind the last one were left out"
    assert [text for _, wrong in done for text in wrong] == []
