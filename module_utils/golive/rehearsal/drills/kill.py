"""Drills of the kill switch: the installed program on its real machines, against the live unit on the bot's host, seen by the venue.

Each returns (what was measured, how often it could have gone wrong). What is measured is the venue's and systemd's word; the program's
own record only tells which troubles it has said.
"""
from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ...errors import GoliveError
from .hosts import Host, wait_for
from .scene import FOLDER, LIVE_UNIT, ORDER_RIGHTS, PAIR, UNIT, VOLUME, Scene, entries_of, protected

PROGRAM, SETTINGS = "/usr/local/lib/golive/kill_switch.py", "/etc/golive/kill_switch.json"
PULL_S = 90.0
Found = tuple[dict[str, Any], int]
# Orders as fast as the venue answers, from the bot's host, until it is stopped: what a bot that has gone mad does.
FLOOD = """import base64, hashlib, hmac, http.client, json, ssl, sys, time, urllib.parse
given = json.load(open(sys.argv[1]))
url = urllib.parse.urlsplit(given["url"])
line = http.client.HTTPSConnection(url.hostname, url.port or 443, timeout=5, context=ssl.create_default_context(cafile=given["ca_file"]))
nonce = 0
while True:
    nonce = max(nonce + 1, time.time_ns() // 1000)
    body = urllib.parse.urlencode(dict(given["order"], nonce=nonce)).encode()
    message = b"/0/private/AddOrder" + hashlib.sha256(str(nonce).encode() + body).digest()
    sign = base64.b64encode(hmac.new(base64.b64decode(given["secret"]), message, hashlib.sha512).digest()).decode()
    try:
        line.request("POST", "/0/private/AddOrder", body, {"API-Key": given["key"], "API-Sign": sign,
                     "Content-Type": "application/x-www-form-urlencoded"})
        line.getresponse().read()
    except (OSError, http.client.HTTPException):
        line.close()
"""
FLOOD_UNIT = LIVE_UNIT + f"ExecStartPre=\nExecStart=\nExecStart=/usr/bin/python3 -I {FOLDER}/flood.py {FOLDER}/flood.json\n"


@dataclass
class Pull:
    """One pull of the switch: what it printed, its record, and when the venue had no entry order any more (seconds)."""

    rc: int | None = None
    lines: list[str] = field(default_factory=list)
    record: dict[str, Any] = field(default_factory=dict)
    seconds_to_no_entries: float | None = None

    def said(self, words: str) -> bool:
        """Return whether it said this."""
        return any(words in line for line in self.lines)


def pull(scene: Scene, machine: Host, *, settle_s: float | None = None, during: Callable[[Pull], None] | None = None) -> Pull:
    """Pull the switch on a machine with its installed settings but the drill account's key, and watch the venue meanwhile.

    `during` runs while the program runs; `settle_s` shortens the pause between the two clean readings.
    """
    settings = json.loads(machine.need("cat", SETTINGS))
    settings.update(credential=f"{FOLDER}/key.json", record_directory=f"{FOLDER}/records")
    if settle_s is not None:
        settings["settle_s"] = settle_s
    machine.write(f"{FOLDER}/key.json", json.dumps(scene.mint("kill", scene.kill_rights)))
    machine.write(f"{FOLDER}/settings.json", json.dumps(settings), "0644")
    found = Pull()
    began = time.monotonic()
    process = machine.start(PROGRAM, "--settings", f"{FOLDER}/settings.json")
    reader = threading.Thread(target=_read, args=(process, found), daemon=True)
    reader.start()
    try:
        clean = threading.Thread(target=_watch, args=(scene, found, began), daemon=True)
        clean.start()
        if during is not None:
            during(found)
        found.rc = process.wait(PULL_S)
        clean.join(PULL_S)
    finally:
        process.kill()
    reader.join(5)
    for line in reversed(found.lines):
        if line.startswith("{"):
            found.record = json.loads(line)
            break
    return found


def _read(process: Any, found: Pull) -> None:
    for line in process.stdout:
        found.lines.append(line.rstrip("\n"))


def _watch(scene: Scene, found: Pull, began: float) -> None:
    """Remember when the venue showed no entry order for the last time that it began to show none."""
    end = began + PULL_S
    while time.monotonic() < end:
        count = scene.open_entries()
        if count:
            found.seconds_to_no_entries = None
        elif found.seconds_to_no_entries is None:
            found.seconds_to_no_entries = round(time.monotonic() - began, 3)
        if found.rc is not None:
            return
        time.sleep(0.1)


def stays_off(scene: Scene) -> tuple[bool, int, float]:
    """Try every starter that a host has, and return (started again, how many were tried, seconds watched)."""
    began = time.monotonic()
    starters = (("systemctl", "start", UNIT), ("systemctl", "restart", UNIT), ("systemctl", "enable", "--now", UNIT),
                ("systemctl", "daemon-reload"), ("systemctl", "try-restart", UNIT), ("systemctl", "isolate", "multi-user.target"))
    started = False
    for starter in starters:
        scene.bot.run(*starter)
        started = started or scene.bot.unit(UNIT)["ActiveState"] in ("active", "activating")
    return started, len(starters), round(time.monotonic() - began, 3)


def kill_switch(scene: Scene) -> Found:
    """The whole of it: entries and a protected position, the live unit running; pulled once with the installed settings."""
    scene.start_bot()
    scene.position()
    scene.entries(3)
    before = scene.open_entries()
    found = pull(scene, scene.machine())
    after = scene.state()
    started, _tried, _watched = stays_off(scene)
    marks = found.record.get("marks", {})
    return {"seconds_to_first_cancel": marks.get("first_cancel_s"), "seconds_to_no_entries": _need(found.seconds_to_no_entries),
            "seconds_to_final": marks.get("final_s"), "entry_orders_left": entries_of(after),
            "stops_kept": protected(after), "alert_sent": "paged_s" in marks, "stays_off": not started,
            "ended": found.record.get("state", "not ended")}, before


def mode_stays_off(scene: Scene) -> Found:
    """After a kill nothing that starts units brings the live one back."""
    scene.start_bot()
    pull(scene, scene.machine(), settle_s=1)
    started, tried, watched = stays_off(scene)
    return {"started_again": started, "watched_s": watched}, tried


def cancel_fails_once(scene: Scene) -> Found:
    """The first cancels are refused by the venue: said in its words, tried again, and the unit is stopped and masked beside it."""
    scene.start_bot()
    scene.entries(2)
    scene.strike("cancel_fails_once", times=2)
    found = pull(scene, scene.machine(), settle_s=1)
    unit = scene.bot.unit(UNIT)
    return {"entry_orders_left": scene.open_entries(), "unit_stopped": unit["ActiveState"] in ("inactive", "failed"),
            "unit_masked": unit["UnitFileState"] in ("masked", "masked-runtime"), "retries_reported": found.said("refused")}, 2


def under_flood(scene: Scene, orders: int = 60) -> Found:
    """A bot that has gone mad places orders as fast as the venue answers; the kill fences it and has the last word."""
    scene.place_unit(FLOOD_UNIT)
    key = scene.mint("flood", ORDER_RIGHTS)
    order = {"pair": "SHIBUSDT", "type": "buy", "ordertype": "limit", "price": f"{scene.price() / 2:.8f}", "volume": "200000"}
    settings = json.loads(scene.bot.need("cat", "/etc/bot/live.json"))["venue"]
    scene.bot.write(f"{FOLDER}/exchange_key", "{}")
    scene.bot.write(f"{FOLDER}/flood.py", FLOOD, "0644")
    flood = {**key, "url": settings["rest_url"], "ca_file": settings["ca_file"], "order": order}
    scene.bot.write(f"{FOLDER}/flood.json", json.dumps(flood), "0640", "root:bot")
    scene.bot.need("chmod", "0711", FOLDER)
    scene.bot.need("systemctl", "start", UNIT)
    wait_for(lambda: scene.open_entries() >= orders, "the flood has placed its orders")
    found = pull(scene, scene.machine(), settle_s=1)
    total = int(scene.state()["orders"]["total"])
    return {"entry_orders_left": scene.open_entries(), "seconds_to_no_entries": _need(found.seconds_to_no_entries)}, total


def in_maintenance(scene: Scene) -> Found:
    """The venue is in maintenance: nothing can be cancelled, which is said; the kill goes on and finishes when the venue is back."""
    scene.start_bot()
    scene.entries(2)
    scene.strike("maintenance")

    def back(found: Pull) -> None:
        wait_for(lambda: found.said("Unavailable") or found.said("maintenance") or found.rc is not None, "the kill says it")
        scene.exchange.ask("DELETE", "cruelties")

    found = pull(scene, scene.machine(), settle_s=1, during=back)
    return {"said_so": found.said("Unavailable") or found.said("maintenance"), "entry_orders_left": scene.open_entries()}, 2


def without_host(scene: Scene) -> Found:
    """The kill machine cannot reach the bot's host: entries go, and it warns until a fence is confirmed."""
    scene.start_bot()
    scene.entries(2)
    machine, warned = scene.machine(), []
    machine.need("ip", "route", "add", "blackhole", f"{scene.bot.address}/32")

    def heal(found: Pull) -> None:
        wait_for(lambda: found.said("may still be trading") or found.rc is not None, "the kill warns")
        warned.append(found.rc is None and not found.said("stopped and masked"))
        machine.need("ip", "route", "del", "blackhole", f"{scene.bot.address}/32")

    pull(scene, machine, settle_s=1, during=heal)
    fenced = scene.bot.unit(UNIT)["ActiveState"] in ("inactive", "failed")
    return {"warned_until_fenced": bool(warned) and warned[0] and fenced, "entry_orders_left": scene.open_entries()}, 2


def paths(scene: Scene) -> Found:
    """Each kill machine stops alone, and the last of them also while it cannot reach the bot's host."""
    proven, cut = 0, False
    machines = list(scene.machines.values())
    for machine in machines:
        scene.entries(2)
        last = machine is machines[-1]
        if last:
            machine.need("ip", "route", "add", "blackhole", f"{scene.bot.address}/32")

        def heal(found: Pull, machine: Host = machine) -> None:
            nonlocal cut
            wait_for(lambda: scene.open_entries() == 0 or found.rc is not None, "entries go although the bot's host is cut off")
            cut = found.rc is None
            machine.need("ip", "route", "del", "blackhole", f"{scene.bot.address}/32")

        found = pull(scene, machine, settle_s=1, during=heal if last else None)
        proven += int(scene.open_entries() == 0 and found.rc == 0)
    return {"paths_proven": proven, "works_with_bot_host_cut": cut}, 2 * len(machines)


def on_venue(scene: Scene) -> Found:
    """What a person does at the real venue before arming: orders far from the market and a conditional one; every list is read back."""
    scene.entries(2)
    trigger = f"{scene.price() * 2:.8f}"
    scene.orders.private("AddOrder", pair=PAIR, type="buy", ordertype="stop-loss", price=trigger, volume=VOLUME)
    placed = len(scene.state()["orders"]["open"])
    found = pull(scene, scene.machine())
    state = scene.state()
    fees = sum((Decimal(str(one["fee"])) for one in state["fills"]), Decimal(0))
    return {"orders_left": len(state["orders"]["open"]), "fills": len(state["fills"]), "fees": float(fees),
            "ended": found.record.get("state", "not ended"), "exit": found.rc}, placed


def _need(seconds: float | None) -> float:
    if seconds is None:
        raise GoliveError("entry orders were at the venue to the end of the drill")
    return seconds


DRILLS: dict[str, Callable[[Scene], Found]] = {
    "kill_switch": kill_switch, "kill_cancel_fails_once": cancel_fails_once, "kill_without_host": without_host,
    "kill_under_flood": under_flood, "kill_in_maintenance": in_maintenance, "kill_paths": paths, "stays_off": mode_stays_off,
    "kill_on_venue": on_venue}
