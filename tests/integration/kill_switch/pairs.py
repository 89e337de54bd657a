"""Every pair of faults against the real rehearsal exchange: Kraken spot and Binance futures, holding and flattening, in turn.

    python -m tests.integration.kill_switch.pairs [--workers N] [--only a,b]

writes tests/records/kill_pairs.json, bound to the digest of the kill switch, case by case, so that it may be interrupted and repeated:
cases that were green for this digest are not run again. Each run is judged by the venue's own word: no entry of the
bot's is left, positions are as the profile wants them or told as they are, nothing of the owner's was touched.
"""
from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.exchange_sandbox.conftest import Sandbox, free_port
from tests.integration.kill_switch import faults
from tests.integration.kill_switch.faults import BEFORE, FAULTS, Futures, Kraken
from tests.integration.kill_switch.scene import FILE

RECORD = Path(__file__).resolve().parents[2] / "records" / "kill_pairs.json"
PATIENCE_S, START_S = 120.0, 600.0


def digest() -> str:
    """Return what a record is bound to: the kill switch, the faults, and how they are run and judged."""
    parts = [FILE, Path(faults.__file__), Path(__file__)]
    return "sha256:" + hashlib.sha256(b"\0".join(path.read_bytes() for path in parts)).hexdigest()


def pairs() -> list[tuple[str, ...]]:
    """Return every fault alone and every pair."""
    return [(one,) for one in FAULTS] + list(itertools.combinations(FAULTS, 2))


def runs() -> list[tuple[tuple[str, ...], str, str]]:
    """Return (faults, venue, policy): each fault alone and each pair, on one of two venues with one of two policies in turn."""
    ways = [(venue, policy) for policy in ("flatten", "hold") for venue in ("kraken", "binance_usdm")]
    out = []
    for index, pair in enumerate(pairs()):
        out.append((pair, *ways[index % 4]))
    return out


def start_exchange(directory: Path) -> Sandbox:
    """Start a rehearsal exchange with all venues."""
    directory.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(24)
    (directory / "token").write_text(token)
    venue, admin = free_port(), free_port()
    config = {"state_dir": str(directory / "state"), "token_file": str(directory / "token"), "allow_plain_http_on_loopback": True,
              "venue": {"host": "127.0.0.1", "port": venue}, "admin": {"host": "127.0.0.1", "port": admin},
              "public_rate": {"max": 100000, "decay": 1000}, "venues": ["kraken", "binance", "binance_usdm"],
              "binance_weights": {"spot": 1000000, "usdm": 1000000, "sapi": 1000000}}
    (directory / "config.json").write_text(json.dumps(config))
    sandbox = Sandbox(directory, config, token, "http://127.0.0.1:%d" % venue, "http://127.0.0.1:%d" % admin, log=directory / "log")
    with contextlib.suppress(AssertionError):
        sandbox.start()
    end = time.monotonic() + START_S       # a machine under load: the campaign waits longer than a test
    while not sandbox._up():
        assert time.monotonic() < end, "the exchange does not answer; its log: %s" % sandbox.log
        time.sleep(1)
    return sandbox


def run(sandbox: Sandbox, folder: Path, names: tuple[str, ...], venue: str, policy: str) -> dict[str, Any]:
    """Run one case and return {faults, venue, policy, state, seconds, wrong: [sentences]}."""
    rng = random.Random("|".join((*names, venue, policy)))
    world: Any = (Kraken if venue == "kraken" else Futures)(sandbox, folder, policy, rng)
    try:
        for name in sorted(names, key=list(FAULTS).index):
            if name in BEFORE:
                FAULTS[name](world)
        world.build()
        for name in sorted(names, key=list(FAULTS).index):
            if name not in BEFORE:
                FAULTS[name](world)
        began = time.monotonic()
        records = pull(world)
        seconds = round(time.monotonic() - began, 1)
        sandbox.ask("DELETE", "cruelties")
        wrong = [] if records else ["no switch came to its end"]
        for one in records:
            wrong += judge(world, one)
        wrong += [text for text in (check() for check in world.must_hold) if text]
        told = sorted({text for one in records for text in one["troubles"] if "not closed any further" in text})
        return {"faults": list(names), "venue": venue, "policy": policy, "states": [one["state"] for one in records], "seconds": seconds,
                "told": told, "wrong": sorted(set(wrong))}
    finally:
        (folder / "fenced").touch()     # whatever still acts as the bot stops
        sandbox.ask("DELETE", "cruelties")
        for close in world.closing:
            close()


def pull(world: Any) -> list[dict[str, Any]]:
    """Pull the switch with everything that goes on beside it; return the records of the switches that came to their end."""
    commands = [world.scene.command()]
    for index, _ in enumerate(world.commands, 1):
        kept = dict(world.scene.settings)
        world.scene.settings.update(turn={"slot_s": 5, "rank": 1, "of": 2}, epoch_directory=str(world.folder / ("epoch%d" % index)))
        commands.append(world.scene.command(name="settings%d.json" % index))
        world.scene.settings = kept
    threads = [threading.Thread(target=act, daemon=True) for act in world.beside]
    for thread in threads:
        thread.start()
    processes = [start(world, command) for command in commands]
    if world.dies:
        dies(world, processes[0])
        processes.append(start(world, commands[0]))
    records = []
    for process in processes:
        try:
            out, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if lines and process.returncode in (0, 3):
            records.append(json.loads(lines[-1]))
    for thread in threads:
        thread.join(10)
    return records[-1:] if world.dies else records


def start(world: Any, command: list[str]) -> subprocess.Popen[str]:
    """Start a switch; on a full disk no file can be written (the kernel refuses, as it does there)."""
    full = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh"] if world.disk_full else []
    return subprocess.Popen([*full, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, **world.environment})


def dies(world: Any, process: subprocess.Popen[str]) -> None:
    """Kill the first switch after its n-th request since the pull."""
    account, since = world.scene.account, time.monotonic()
    seen = len(requests(world, account))
    while process.poll() is None and time.monotonic() - since < 10 and len(requests(world, account)) - seen < world.dies:
        time.sleep(0.01)
    process.kill()
    process.wait()


def requests(world: Any, account: str) -> list[Any]:
    """Return what the venue was asked on an account."""
    return list(world.scene.sandbox.ask("GET", "requests?limit=1000&account=" + account)["requests"])


def judge(world: Any, record: dict[str, Any]) -> list[str]:
    """Return what is wrong, by the venue's word against what the switch said and the profile wants."""
    wrong = []
    if world.entries_left():
        wrong.append("%d entries of the bot's are left" % world.entries_left())
    if not record["fenced"]:
        wrong.append("it ended without a fence")
    positions = world.positions()
    bare = {asset: open_ for asset, (_size, open_) in positions.items() if open_ > 0}
    if bare and record["state"] != "NAKED":
        wrong.append("it said %s and no stop covers %s" % (record["state"], bare))
    if record["state"] == "flat" and positions:
        wrong.append("it said flat and holds %s" % positions)
    if world.policy == "flatten" and positions and not any("not closed any further" in one for one in record["troubles"]):
        wrong.append("the profile flattens, %s are left, and it does not say why" % positions)
    if record["state"] == "NAKED" and not bare:
        wrong.append("it said NAKED and everything is covered")
    return wrong


def campaign(workers: int, chosen: list[tuple[tuple[str, ...], str, str]],
             keep: Callable[[dict[str, Any]], None] = lambda result: None) -> list[dict[str, Any]]:
    """Run cases on so many exchanges at once; return their results in order. `keep` is told each as it comes, one at a time."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as base:
        exchanges: list[Sandbox] = []
        free: list[Sandbox] = []
        lock = threading.Lock()

        def one(numbered: tuple[int, tuple[tuple[str, ...], str, str]]) -> dict[str, Any]:
            index, (names, venue, policy) = numbered
            with lock:
                mine = free.pop()
            try:
                result = run(mine, Path(base) / ("case%d" % index), names, venue, policy)
            except Exception as exc:  # noqa: BLE001 (a case that could not be run is red, and the others go on)
                told = traceback.format_exc().strip().splitlines()[-3:]
                result = {"faults": list(names), "venue": venue, "policy": policy, "states": [], "seconds": 0.0,
                          "wrong": ["could not be run: %s: %s" % (type(exc).__name__, " / ".join(told)[-300:])]}
            finally:
                with lock:
                    free.append(mine)
            with lock:
                keep(result)
            print("%s %s %s %s: %s" % ("ok " if not result["wrong"] else "RED", venue, policy, "+".join(names),
                                       "; ".join(result["wrong"]) or "%s in %.1f s %s" % (
                                           "/".join(result["states"]), result["seconds"], "; ".join(result["told"]))),
                  flush=True)
            return result
        try:
            for index in range(workers):
                exchanges.append(start_exchange(Path(base) / ("exchange%d" % index)))
            free += exchanges
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                return list(pool.map(one, enumerate(chosen)))
        finally:
            for exchange in exchanges:
                exchange.stop(signal.SIGKILL)


def main() -> int:
    """Run the campaign and write its record."""
    parser = argparse.ArgumentParser(description="Every pair of faults against the kill switch.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="comma-separated faults: only cases of these, and no record")
    chosen = parser.parse_args()
    only = {name for name in chosen.only.split(",") if name}
    began, bound = time.monotonic(), digest()
    kept = {} if only else {case(one): one for one in recorded(bound) if not one["wrong"]}

    def keep(result: dict[str, Any]) -> None:
        kept[case(result)] = result
        if not only and bound == digest():
            write(bound, kept)
    todo = [one for one in runs() if (not only or set(one[0]) <= only) and one not in kept]
    results = campaign(chosen.workers, todo, keep)
    red = [one for one in results if one["wrong"]]
    print("%d cases, %d run now, %d red, %.0f s" % (len(kept), len(results), len(red), time.monotonic() - began))
    return 1 if red else 0


def case(result: dict[str, Any]) -> tuple[tuple[str, ...], str, str]:
    """Return which case a result is of."""
    return tuple(result["faults"]), result["venue"], result["policy"]


def recorded(bound: str) -> list[dict[str, Any]]:
    """Return the results that are recorded for this digest."""
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(record["results"]) if record.get("digest") == bound else []


def write(bound: str, kept: dict[tuple[tuple[str, ...], str, str], dict[str, Any]]) -> None:
    """Write the record in one step."""
    RECORD.parent.mkdir(exist_ok=True)
    results = [kept[one] for one in runs() if one in kept]
    fresh = RECORD.with_suffix(".new")
    fresh.write_text(json.dumps({"digest": bound, "cases": len(results), "wanted": len(runs()),
                                 "red": sum(1 for one in results if one["wrong"]), "results": results}, indent=1) + "\n", encoding="utf-8")
    fresh.replace(RECORD)


if __name__ == "__main__":
    sys.exit(main())
