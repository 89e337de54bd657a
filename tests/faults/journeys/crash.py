"""`python -m tests.faults.journeys.crash --reference FILE`: the journey from bare hosts, broken off again and again at any instant.

Each crash is drawn by seed and number: at which task, how far into it, and what dies: the controller with everything it started, the
connections, the process on a target, a host's power, a host's cable. Then the journey is run again, and again broken off; the last run
goes to its end. The end state has to be that of an undisturbed journey (FILE, taken by --take on a lab that has just been built), object
by object; no ticket may be armed twice and no order sent twice.
"""
from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from golive.canonical import utc
from golive.rundir import write_atomic
from golive.session import ROOT

from ..harness import bound
from ..harness.lab import Lab
from . import driving, state

RECORD = ROOT / "tests/records/crash_campaign.json"
HOSTS = ("bot", "guard", "outside", "vault", "venue")
KINDS = ("controller", "controller", "controller", "connections", "target process", "power", "cable")
Act = Callable[[subprocess.Popen[str]], None]


def lab(*words: str) -> None:
    """Let the lab do something with its hosts."""
    subprocess.run([sys.executable, "-m", "golive.lab", *words], cwd=ROOT, check=True, capture_output=True)


def _connections(process: subprocess.Popen[str]) -> None:
    rows = subprocess.run(["ps", "-e", "-o", "pid=,sid=,comm="], capture_output=True, text=True, check=True).stdout.splitlines()
    for pid, session, name in (row.split(None, 2) for row in rows):
        if int(session) == process.pid and name.strip() == "ssh":
            os.kill(int(pid), signal.SIGKILL)


def _on_target(world: Lab, host: str) -> Act:
    # The newest process that sudo started for golive's login: the module or the runner.
    script = "for p in $(pgrep -x sudo | sort -rn); do for c in $(pgrep -P $p); do kill -9 $c; exit 0; done; done"
    def act(_process: subprocess.Popen[str]) -> None:
        world.on(host, script, check=False)

    return act


def _power(world: Lab, host: str) -> Act:
    name = f"golive-{world.lab}-{host}"

    def act(_process: subprocess.Popen[str]) -> None:
        subprocess.run(["docker", "kill", name], check=True, capture_output=True)
        subprocess.run(["docker", "start", name], check=True, capture_output=True)

    return act


def _cable(host: str) -> Act:
    return lambda _process: lab("cut", host)


def crashes(seed: str, count: int, tasks: int) -> list[dict[str, Any]]:
    """Return the crashes of a campaign: spread over the whole journey, each at a task and an instant within it."""
    found = []
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        found.append({"number": number, "kind": rng.choice(KINDS), "host": rng.choice(HOSTS),
                      "task": max(2, round((number + rng.random()) * tasks / count)), "delay_s": round(rng.random() * 2, 3)})
    return found


def crash(world: Lab, one: dict[str, Any]) -> dict[str, Any]:
    """Run the journey into one crash and say how it went."""
    acts: dict[str, Act] = {"controller": driving.kill_all, "connections": _connections, "target process": _on_target(world, one["host"]),
                            "power": _power(world, one["host"]), "cable": _cable(one["host"])}
    hit: list[bool] = []

    def act(process: subprocess.Popen[str]) -> None:
        hit.append(True)
        acts[one["kind"]](process)

    try:
        ended = driving.journey("-vvvv", "--diff", at_task=one["task"], delay_s=one["delay_s"], act=act)
    finally:
        if one["kind"] == "cable":
            lab("heal", one["host"])
    return {**one, "happened": bool(hit), "exit": ended.code, "tasks": ended.tasks, "took_s": round(ended.took_s, 1), "run": ended.run.run,
            "traceback": "Traceback (most recent call last)" in ended.output}


def main() -> int:
    """Run the campaign; 2 when the end state differs, money acted twice, or a run ended with a traceback."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.journeys.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--take", action="store_true", help="only write the state of the lab as it is to the reference")
    parser.add_argument("--outputs", type=Path, help="keep what the runs say at -vvvv there, for the search for secrets")
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--tasks", type=int, default=230, help="about how many tasks a journey has")
    options = parser.parse_args()
    world = Lab()
    if options.take:
        objects = {host: sorted(names) for host, names in state.managed(world).items()}
        options.reference.write_text(json.dumps({"objects": objects, "state": state.look(world, objects)}))
        world.close()
        return 0
    driving.OUTPUTS = options.outputs
    reference = json.loads(options.reference.read_text())
    lab("reset", *HOSTS)
    rows = []
    for one in crashes(options.seed, options.count, options.tasks):
        rows.append(crash(world, one))
        print(json.dumps(rows[-1]), flush=True)
    ended = driving.to_its_end("-vvvv", "--diff")
    world = Lab()  # the profile and the addresses of the newest run
    found = state.look(world, reference["objects"])
    words = state.different(reference["state"], found)
    money = state.money(world)
    world.close()
    happened = [one for one in rows if one["happened"]]
    by_kind = {f"of them: {kind}": sum(one["kind"] == kind for one in happened) for kind in dict.fromkeys(KINDS)}
    figures = {"crashes": len(happened), **by_kind,
               "runs to the end afterwards": len(ended), "exit of the last": ended[-1].code,
               "objects compared": sum(len(one) for one in found.values()), "objects that differ": len(words),
               "digest of the end state": state.state_digest(found), "digest without crashes": state.state_digest(reference["state"]),
               "tickets armed": money["armed"], "armed twice": len(money["armed_twice"]),
               "orders sent twice": sum(map(len, money["orders_twice"].values())), "lines of the audit chain, whole": money["audit_lines"],
               "tracebacks": sum(one["traceback"] for one in rows), "seed": options.seed}
    body = {"title": "Crashes", "at": utc(), "bound": bound.now("crash_campaign"),
            "figures": figures, "crashes": rows, "different": words, "left_out": dict(state.BY_NATURE),
            "about": "The journey from bare hosts, broken off at instants drawn by seed and run again; the end state is compared with "
                     "that of an undisturbed one. Disk full is not among the crashes: hosts of the lab share the disk of the machine.",
            "notes": [f"differs: {one}" for one in words[:20]]}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)
    print(json.dumps(figures, indent=1), *words[:40], sep="\n")
    bad = words or money["armed_twice"] or any(money["orders_twice"].values()) or any(one["traceback"] for one in rows)
    return 2 if bad or ended[-1].code != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
