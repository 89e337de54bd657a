"""What the brakes cost on loopback: `python -m tests.bench.kill_switch [--rounds N]` prints the tables of docs/explanation/performance.md.

Kill: cold start of the file (spawn to exit of `--help`), the whole pull from spawn to the first cancel that the venue accepted, 50 open
entries gone, peak memory. Guard: CPU share and memory over a minute at its pace of 4 s, and the time to its finding a naked position.
The venue is the rehearsal exchange on the same machine: these are lab figures, a real venue adds its distance.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golive.guard import decide

from tests.integration.kill_switch.binance_scene import FuturesScene, SpotScene
from tests.integration.kill_switch.pairs import start_exchange
from tests.integration.kill_switch.scene import FILE, PREFIX, Scene

ENTRIES = 50


def spawn(command: list[str]) -> tuple[float, float, float, str]:
    """Run a command; return wall seconds, CPU seconds, peak MiB, output."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)
        peaks = [0]
        watch = threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True)
        watch.start()
        _, _, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = 0
        watch.join()
        out.seek(0)
        return wall, used.ru_utime + used.ru_stime, peaks[0] / 1024, out.read()


def _watch(pid: int, peaks: list[int]) -> None:
    """Keep the high-water mark of a process's own memory; the one of wait4 begins with that of the process it was forked from."""
    while True:
        try:
            status = dict(line.split(":", 1) for line in Path("/proc/%d/status" % pid).read_text().splitlines())
            cmdline = Path("/proc/%d/cmdline" % pid).read_bytes()
            if "VmHWM" not in status:
                return
            if b"-ISE" in cmdline:
                peaks[0] = max(peaks[0], int(status["VmHWM"].split()[0]))
        except (OSError, ValueError):
            return
        time.sleep(0.002)


def shown(values: list[float], scale: float = 1.0) -> str:
    return "%.0f (%.0f)" % (min(values) * scale, statistics.median(values) * scale)


def cold_start(rounds: int) -> str:
    found = [spawn([sys.executable, "-ISE", str(FILE), "--help"]) for _ in range(rounds)]
    bare = [spawn([sys.executable, "-ISE", "-c", "pass"]) for _ in range(rounds)]
    return "| cold start of the file | %s ms, of it Python itself %s ms | CPU %s ms | %.1f MiB |" % (
        shown([one[0] for one in found], 1000),
        shown([one[0] for one in bare], 1000),
        shown([one[1] for one in found], 1000),
        max(one[2] for one in found),
    )


def pulls(name: str, rounds: int, make: Any) -> str:
    first, gone, total, memory = [], [], [], []
    for _ in range(rounds):
        scene = make()
        scene.entries(ENTRIES)
        wall, _cpu, peak, out = spawn(scene.command())
        record = json.loads(out.splitlines()[-1])
        assert record["cancelled"] == ENTRIES, out
        began = wall - record["seconds"]  # what the interpreter took before the switch's own clock began
        first.append(record["marks"]["first_cancel_s"] + began)
        gone.append(record["marks"]["no_entries_s"] + began)
        total.append(wall)
        memory.append(peak)
    return "| %s, %d entries | first cancel accepted %s ms | all gone %s ms | %.1f MiB |" % (
        name,
        ENTRIES,
        shown(first, 1000),
        shown(gone, 1000),
        max(memory),
    )


def hold(scene: Any) -> Callable[[], None]:
    """Open a position with its stop; return what takes the stop away."""
    if isinstance(scene, FuturesScene):
        scene.bot.sync()
        scene.order("SOLUSDT", "BUY", "3")
        stop = scene.algo("SOLUSDT", "SELL", 0.9, quantity="3", reduceOnly="true")
        return lambda: scene.bot.good("DELETE", "/fapi/v1/algoOrder", symbol="SOLUSDT", algoId=stop["algoId"])
    scene.position(stop=True)

    def take() -> None:
        if isinstance(scene, SpotScene):
            for one in scene.open_orders():
                scene.bot.good("DELETE", "/api/v3/order", symbol=one["symbol"], orderId=one["orderId"])
        else:
            for txid in scene.open_orders():
                scene.bot.good("CancelOrder", txid=txid)

    return take


def guard(name: str, scene: Any, folder: Path, seconds: float) -> str:
    """Run the guard at its own pace, then take a stop away and wait for the finding."""
    take_stop, kraken = hold(scene), scene.settings["venue"] == "kraken"
    settings = {
        "system": "bench",
        "venue": scene.settings["venue"],
        "url": scene.sandbox.venue,
        "ca_file": "",
        "account": "dedicated",
        "credential": scene.settings["credential"],
        "pairs": scene.settings["pairs"][:1],
        "client_id_prefix": PREFIX,
        "state_file": str(folder / "state"),
        "kill_request": str(folder / "kill"),
        "epoch_directory": str(folder),
        "tell_bot": ["true"],
        "heartbeat": [],
        "page": None,
        "actions": {**dict.fromkeys(decide.CHECKS, "page")},
        "metrics_port": 0,
        "loss_day": 500.0,
        "loss_total": 500.0,
        "exposure": 5000.0,
        "positions": 3,
        "orders_per_minute": 600,
        "notional_per_minute": 5000.0,
        "loop_s": 4.0,
        "naked_grace_s": 0.0,
        "decision_age_s": 3600.0,
        "blind_s": 600.0,
        "unheard_s": 3600.0,
        "acknowledge_s": 10.0,
        "tell_every_s": 60.0,
        "closed_every_s": 12.0,
        "heartbeat_every_s": 15.0,
        "page_repeat_s": 900.0,
        "margin_level_min": 0.0,
        "stop_distance_max": 0.2,
        "calls_max": 20.0 if kraken else 2400.0,
        "calls_decay": 0.5 if kraken else 40.0,
    }
    path = folder / "guard.json"
    path.write_text(json.dumps(settings))
    process = subprocess.Popen(
        [sys.executable, "-s", "-m", "golive.guard.guard", "--settings", str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(FILE.parents[2])},
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(8)  # past its start
        began, used = time.monotonic(), cpu(process.pid)
        time.sleep(seconds)
        share = (cpu(process.pid) - used) / (time.monotonic() - began)
        status = dict(line.split(":", 1) for line in Path("/proc/%d/status" % process.pid).read_text().splitlines())
        memory = int(status["VmHWM"].split()[0]) / 1024
        before = json.loads((folder / "state").read_text())
        assert not any(one["check"] == "naked_position" for one in before["findings"]), before
        last = (folder / "state").stat().st_mtime_ns
        while (folder / "state").stat().st_mtime_ns == last:  # right after a look: the next one is a whole loop away
            time.sleep(0.01)
        taken = time.monotonic()
        take_stop()
        while not any(one["check"] == "naked_position" for one in json.loads((folder / "state").read_text())["findings"]):
            assert time.monotonic() - taken < 60
            time.sleep(0.05)
        found = time.monotonic() - taken
    finally:
        process.kill()
        process.wait()
    return "| guard of %s, loop of 4 s over %.0f s | CPU %.2f %% of a core | a stop taken away found after %.1f s | %.1f MiB |" % (
        name,
        seconds,
        share * 100,
        found,
        memory,
    )


def cpu(pid: int) -> float:
    fields = Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--guard-seconds", type=float, default=60.0)
    chosen = parser.parse_args()
    print("load %s" % " ".join("%.1f" % one for one in os.getloadavg()))
    print(cold_start(chosen.rounds * 3), flush=True)
    with tempfile.TemporaryDirectory() as base:
        exchange, numbers = start_exchange(Path(base) / "exchange"), iter(range(1000))
        try:
            print(
                pulls("Kraken spot", chosen.rounds, lambda: Scene(exchange, Path(base) / ("k%d" % next(numbers)), "k%d" % next(numbers))),
                flush=True,
            )
            print(pulls("Binance spot", chosen.rounds, lambda: SpotScene(exchange, Path(base) / ("s%d" % next(numbers)))), flush=True)
            print(pulls("Binance USD-M", chosen.rounds, lambda: FuturesScene(exchange, Path(base) / ("f%d" % next(numbers)))), flush=True)
            watched: list[tuple[str, Any]] = [
                ("Kraken", Scene(exchange, Path(base) / "guard0", "guarded")),
                ("Binance spot", SpotScene(exchange, Path(base) / "guard1")),
                ("Binance USD-M", FuturesScene(exchange, Path(base) / "guard2")),
            ]
            with concurrent.futures.ThreadPoolExecutor() as pool:  # they mostly sleep
                for line in pool.map(lambda one: guard(one[0], one[1], one[1].folder, chosen.guard_seconds), watched):
                    print(line, flush=True)
        finally:
            exchange.stop(9)
    return 0


if __name__ == "__main__":
    sys.exit(main())
