"""Drills of a change under a position that is open: the previous release takes over, and a new exchange key takes over."""
from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ...canonical import fingerprint
from ...errors import GoliveError
from .hosts import wait_for
from .returning import reconciled, step
from .scene import DRILL_RELEASES, FOLDER, LIVE_UNIT, UNIT, Scene

Found = tuple[dict[str, Any], int]
RELEASE_UNIT = LIVE_UNIT + (f"WorkingDirectory={DRILL_RELEASES}/current/app\nExecStart=\n"
                            f"ExecStart={DRILL_RELEASES}/current/app/bin/bot run\n")
# On the bot's host, with the key on its input: one question, and what the venue says to it.
ASK = """import base64, hashlib, hmac, json, ssl, sys, time, urllib.parse, urllib.request
given = json.load(sys.stdin)
nonce = time.time_ns() // 1000
body = urllib.parse.urlencode({"nonce": nonce}).encode()
message = b"/0/private/Balance" + hashlib.sha256(str(nonce).encode() + body).digest()
sign = base64.b64encode(hmac.new(base64.b64decode(given["secret"]), message, hashlib.sha512).digest()).decode()
request = urllib.request.Request(given["url"] + "/0/private/Balance", body, {"API-Key": given["key"], "API-Sign": sign})
tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=given["ca_file"]))
with urllib.request.build_opener(urllib.request.ProxyHandler({}), tls).open(request, timeout=20) as out:
    print("; ".join(json.load(out)["error"]))
"""
CALLED = 5  # private calls that a new key has to get through before it counts as in use


def stops(state: Mapping[str, Any]) -> set[str]:
    """Return the ids of the selling stops that rest at the venue."""
    return {str(one["id"]) for one in state["orders"]["open"] if one["side"] == "sell" and str(one["type"]).startswith("stop")}


def rollback(scene: Scene) -> Found:
    """The release before takes over by its link while a position is open, in the order of the restart: nothing is opened meanwhile."""
    current = scene.bot.need("readlink", "-f", "/opt/bot/current").strip()
    before_it = _previous(scene, current)
    changes = {"max_positions": 1, "paths": {"release_file": f"{DRILL_RELEASES}/current/release.json"}}
    held = scene.start_trading(unit=RELEASE_UNIT, **changes)["positions"]
    state = scene.state()
    began = time.monotonic()
    before = step(scene, "halt")["before"]
    _point(scene, "previous", current)
    _point(scene, "current", before_it)
    step(scene, "restart", before)
    equal = reconciled(scene)["equal"]
    step(scene, "resume")
    seconds = time.monotonic() - began
    after, pid = scene.state(), scene.bot.unit(UNIT)["MainPID"]
    mapped = scene.bot.need("cat", f"/proc/{pid}/maps")  # what the kernel says that the process runs
    started = scene.ledger("start")
    return {"release_is_previous": before_it in mapped and len({one["release_digest"] for one in started}) == 2,
            "positions_equal": bool(equal) and _quantities(state) == _quantities(after),
            "stop_kept": stops(state) <= stops(after) and scene.protected(), "seconds": round(seconds, 3)}, len(held)


def _quantities(state: Mapping[str, Any]) -> dict[str, str]:
    return {pair: str(one["qty"]) for pair, one in state["positions"].items()}


def _previous(scene: Scene, current: str) -> str:
    """Lay a release beside the installed one that differs in its manifest only, and return its folder.

    The release that was here before may keep its records in another form, or not be here at all: what is drilled is the way back.
    """
    manifest = json.loads(scene.bot.need("cat", f"{current}/release.json"))
    text = json.dumps({**manifest, "drill": "stands for the previous release"}, sort_keys=True)
    folder = f"{DRILL_RELEASES}/releases/{hashlib.sha256(text.encode()).hexdigest()}"
    scene.bot.need("install", "-d", "-m", "0755", f"{DRILL_RELEASES}/releases")
    scene.bot.need("cp", "-a", current, folder)
    scene.bot.write(f"{folder}/release.json", text, "0644")
    _point(scene, "current", current)
    return folder


def _point(scene: Scene, name: str, folder: str) -> None:
    """Switch a link in one step."""
    scene.bot.need("ln", "-sfn", folder, f"{DRILL_RELEASES}/{name}.new")
    scene.bot.need("mv", "-T", f"{DRILL_RELEASES}/{name}.new", f"{DRILL_RELEASES}/{name}")


def rotate_exchange_key(scene: Scene) -> Found:
    """A new key takes over at a restart, which asks about it first; the old one works until then, and is revoked and seen refused."""
    held = scene.start_trading(max_positions=1)["positions"]
    state, old = scene.state(), scene.keys[-1]
    new = scene.mint_for_bot()
    before = step(scene, "halt")["before"]
    scene.bot.write(f"{FOLDER}/exchange_key", json.dumps(new))
    step(scene, "restart", before)
    wait_for(lambda: len(_calls(scene, new["key"])) >= CALLED, "the bot works with the new key")
    last, first = max(_calls(scene, old["key"])), min(_calls(scene, new["key"]))
    if _said(scene, old):
        raise GoliveError("the old key was refused before it was revoked, so a refusal afterwards proves nothing", where=scene.bot.name)
    scene.exchange.ask("POST", f"keys/{old['key']}/revoke", {})
    said = _said(scene, old)
    differences = reconciled(scene)["differences"]
    step(scene, "resume")
    lost = stops(state) - stops(scene.state())
    return {"old_key_refused": "Invalid key" in said, "downtime_s": round(max(0.0, first - last), 3),
            "orders_lost": len(lost) + len(differences), "lost": [*sorted(lost), *(str(one)[:200] for one in differences)],
            "positions_protected": scene.protected()}, len(held)


def _calls(scene: Scene, key: str) -> list[float]:
    """Return when the bot's host used a key and was not refused, in the venue's time."""
    return [float(one["at"]) for one in scene.requests()
            if one.get("key") == fingerprint(key) and one["source"] == scene.bot.address and not one.get("error")]


def _said(scene: Scene, key: Mapping[str, str]) -> str:
    """Ask with a key from the bot's host, which its allow-list lets through, and return the venue's error, empty for an answer."""
    given = {**key, "url": str(scene.variables["exchange_url"]), "ca_file": str(scene.variables["exchange_ca_file"])}
    return scene.bot.need("python3", "-ISE", "-c", ASK, stdin=json.dumps(given)).strip()


DRILLS: dict[str, Callable[[Scene], Found]] = {"rollback_with_position": rollback, "rotate_exchange_key": rotate_exchange_key}
