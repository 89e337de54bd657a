"""Drill of the guard: the installed program watches the drill's account from its real host, and acts on what the venue shows it.

It runs as a second unit beside the real guard, which goes on watching the real account: the installed unit and settings, with a key,
a state, a kill request and a pace of the drill. The word goes over the real forced ssh command to the live unit; the kill is the real one.
"""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from ...errors import GoliveError
from .hosts import Host, NotSeen, wait_for
from .kill import PROGRAM, SETTINGS
from .scene import FOLDER, GUARD, PAIR, TICKET_TIMER, UNIT, Scene

Found = tuple[dict[str, Any], int]
RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "close-trades"]
INSTALLED, EPOCHS = "golive-guard", "/var/lib/golive/epochs"
PLACE = f"/run/{GUARD}"
CALM_LOOPS = 5
# Two readings and a second opinion at a pace of one second; production's four seconds only make it wait longer.
# Its stop lies far away so that no move of the market takes it: how far a stop may be is not what is drilled here.
PACE = {"loop_s": 1.0, "closed_every_s": 2.0, "calls_max": 1000.0, "calls_decay": 100.0, "stop_distance_max": 0.0}
KILL_PATH = f"[Path]\nPathExists={PLACE}/kill\n"
KILL_SERVICE = (f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\nExecStartPre=/bin/rm -f {PLACE}/kill\n"
                f"ExecStart={PROGRAM} --settings {FOLDER}/settings.json\nSuccessExitStatus=3\nTimeoutStartSec=infinity\n")


def guard_acts(scene: Scene) -> Found:
    """Calm, then three stimuli: too much exposure (entries end), a position without its stop and a foreign order (a kill each)."""
    machine = _watcher(scene)
    scene.bot.need("systemctl", "stop", TICKET_TIMER)  # no ticket is installed: it would end the unit's entries before the guard does
    scene.start_bot({"strategy": {"entry_z": 50}})
    _start(scene, machine)
    wait_for(lambda: _state(machine).get("loops", 0) >= CALM_LOOPS or _state(machine).get("readings", 0) >= CALM_LOOPS, "the guard sees")
    epochs = _epochs(machine)
    calm = not _state(machine)["findings"]
    missed = [] if calm else ["calm"]
    stop = _expose(scene)
    acknowledged = _seen(missed, "exposure", lambda: _state(machine)["acknowledged_s"].get("no_entries"))
    false_kills = len(_epochs(machine) - epochs)
    obeyed = bool((scene.health() or {}).get("controls", {}).get("no_entries"))

    scene.orders.private("CancelOrder", txid=stop)
    _seen(missed, "naked_position", lambda: _killed(machine, "naked") and _fenced(scene) and len(_epochs(machine) - epochs) > false_kills)
    kills = len(_epochs(machine) - epochs)
    scene.entries(2)
    _seen(missed, "foreign_order", lambda: (_killed(machine, "foreign") and scene.open_entries() == 0
                                            and len(_epochs(machine) - epochs) > kills))
    result = {"missed": len(missed), "missed_stimuli": missed, "false_kills": false_kills, "entries_ended": obeyed}
    return result if acknowledged is None else {**result, "file_acknowledged_s": float(acknowledged)}, 3


def _watcher(scene: Scene) -> Host:
    for machine in scene.machines.values():
        if machine.run("test", "-e", f"/etc/golive/{INSTALLED.removeprefix('golive-')}.json").returncode == 0:
            return machine
    raise GoliveError("no kill machine holds a guard", where=", ".join(scene.machines), todo="run the build first")


def _start(scene: Scene, machine: Host) -> None:
    """Give the drill's unit the installed unit's text and settings, at the drill's places."""
    settings = json.loads(machine.need("cat", "/etc/golive/guard.json").replace(f"/{INSTALLED}.service/", f"/{GUARD}.service/"))
    settings.update(PACE, state_file=f"{PLACE}/state.json", kill_request=f"{PLACE}/kill", heartbeat=["/bin/true"],
                    metrics_port=int(settings["metrics_port"]) + 1)
    machine.write(f"{FOLDER}/guard.json", json.dumps(settings), "0644")
    machine.write(f"{FOLDER}/guard_key", json.dumps(scene.mint("guard", RIGHTS)))
    pulled = json.loads(machine.need("cat", SETTINGS))
    pulled.update(credential=f"{FOLDER}/key.json", record_directory=f"{FOLDER}/records", settle_s=1)
    machine.write(f"{FOLDER}/key.json", json.dumps(scene.mint("kill", scene.kill_rights)))
    machine.write(f"{FOLDER}/settings.json", json.dumps(pulled), "0644")
    machine.need("chmod", "0711", FOLDER)
    told = machine.need("systemctl", "cat", f"{INSTALLED}.service")
    # The installed unit notes at its start what it loaded; its copy must not write there, or the next run restarts the guard for nothing.
    unit = "".join(line for line in told.splitlines(keepends=True) if "/run/golive/units" not in line)
    places = {f"RuntimeDirectory={INSTALLED}\n": f"RuntimeDirectory={GUARD}\n", "/etc/golive/guard.json": f"{FOLDER}/guard.json",
              "/etc/golive/guard_key.json": f"{FOLDER}/guard_key"}
    for there, here in places.items():
        if there not in unit:
            raise GoliveError("the guard's unit has no such line any more", where=machine.name, found=there.strip())
        unit = unit.replace(there, here)
    machine.write(f"/run/systemd/system/{GUARD}.service", unit, "0644")
    machine.write(f"/run/systemd/system/{GUARD}-kill.path", KILL_PATH, "0644")
    machine.write(f"/run/systemd/system/{GUARD}-kill.service", KILL_SERVICE, "0644")
    machine.need("systemctl", "daemon-reload")
    machine.need("systemctl", "start", f"{GUARD}-kill.path", f"{GUARD}.service")


def _expose(scene: Scene) -> str:
    """Buy more than the guard allows in the bot's name, with a stop beside it, and return the stop's id."""
    prefix, limit = str(scene.variables["orders_client_id_prefix"]), Decimal(60)
    volume = f"{(limit / scene.price()).quantize(Decimal(1))}"
    name = f"{prefix}drill{int(time.time())}"
    scene.orders.private("AddOrder", pair=PAIR, type="buy", ordertype="market", volume=volume, cl_ord_id=f"{name}e")
    price = f"{scene.price() * Decimal('0.7'):.8f}"
    made = scene.orders.private("AddOrder", pair=PAIR, type="sell", ordertype="stop-loss", price=price, volume=volume, cl_ord_id=f"{name}s")
    return str(made["txid"][0])


def _seen(missed: list[str], stimulus: str, question: Callable[[], Any]) -> Any:
    try:
        return wait_for(question, stimulus, pause_s=0.5)
    except NotSeen:
        missed.append(stimulus)
        return None


def _state(machine: Host) -> dict[str, Any]:
    done = machine.run("cat", f"{PLACE}/state.json")
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def _killed(machine: Host, word: str) -> bool:
    return any(str(key).startswith(word) for key in _state(machine).get("killed", []))


def _epochs(machine: Host) -> set[str]:
    return set(machine.need("ls", EPOCHS).split())


def _fenced(scene: Scene) -> bool:
    unit = scene.bot.unit(UNIT)
    return unit["ActiveState"] in ("inactive", "failed") and unit["UnitFileState"] in ("masked", "masked-runtime")


DRILLS: dict[str, Callable[[Scene], Found]] = {"guard_acts": guard_acts}
