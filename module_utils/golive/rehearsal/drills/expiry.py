"""Drill of a restart with an expired ticket and a position open: the unit comes up exit-only, opens nothing and closes what it holds.

The live unit asks the installed verifier at each start, as it will when armed; the arming directory is one of the drill in /run, with the
host's own policy and signers. Nothing that could arm this host lies anywhere at any moment: the ticket there is good for no other place.
"""
from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ... import ticket
from ...errors import GoliveError
from . import tickets
from .hosts import wait_for
from .scene import CONFIG, FOLDER, LIVE_UNIT, STATE, TRADING, UNIT, Scene, merged

Found = tuple[dict[str, Any], int]
ROOT = f"{FOLDER}/root"
ARM, RUNTIME = f"{ROOT}/etc/golive/arm", f"{ROOT}/run/bot/live"
VERIFY = f"/usr/bin/python3 -I {tickets.VERIFIER} --root {ROOT}"
# As the live unit has it, with the drill's root.
TICKET_UNIT = LIVE_UNIT.replace("ExecCondition=\n", f"ExecCondition=\nExecCondition=+{VERIFY} check\n").replace(
    f"LoadCredential=exchange_key:{FOLDER}/exchange_key", f"LoadCredentialEncrypted=exchange_key:{ARM}/exchange_key.cred").replace(
    f"BOT_CONFIG={CONFIG}", f"BOT_CONFIG={ROOT}/etc/bot/live.json")
SHORT_S = 10  # to sign, deliver and verify in, on a loaded machine
HELD_CANDLES = 60  # 15 s at the drill's pace: long enough to see refused entries, then the bot leaves its positions


def restart_expired(scene: Scene) -> Found:
    """A good ticket arms the unit and it opens positions; the ticket runs out; the unit is restarted."""
    policy = _prepare(scene)
    _deliver(scene, policy, 3600)
    scene.bot.need("systemctl", "start", UNIT)
    scene.position_of_bot()
    entered = int(scene.totals()["entries"])
    _deliver(scene, policy, SHORT_S)
    wait_for(lambda: scene.bot.need(*VERIFY.split(), "tick").strip() == "exit_only", "the ticket runs out", pause_s=1)
    why = json.loads(scene.bot.need("cat", f"{RUNTIME}/exit_only"))["code"]
    if why != "expired":
        raise GoliveError("the unit was marked exit-only for another reason than the ticket's age", where=scene.bot.name, found=str(why))
    scene.bot.need("systemctl", "restart", UNIT)
    said = wait_for(lambda: (now := scene.health()) and now["reconciled"] and now["controls"]["exit_only"] and now,
                    "the bot is back, exit-only")
    kept, sent = scene.protected(), int(scene.totals()["entries"])
    started = scene.ledger("start")[-1]["seq"]

    def refused() -> int:
        return sum(1 for one in scene.ledger("risk") if one["seq"] > started and "exit_only" in one["reasons"])

    wait_for(lambda: refused() >= 1, "a signal to enter is refused because the ticket has expired")
    wait_for(lambda: not scene.state()["positions"], "the bot closes what it holds")
    exits = sum(1 for one in scene.ledger("exit") if one["seq"] > started)
    return {"entries": int(scene.totals()["entries"]) - sent, "exits": exits, "stop_kept": kept, "refused_signals": refused(),
            "entries_before": entered, "positions_at_restart": len(said["positions"])}, entered


def _prepare(scene: Scene) -> dict[str, Any]:
    """Make the drill's arming directory, configuration and sealed key; return the policy by which the verifier judges there."""
    policy = json.loads(scene.bot.need("cat", "/etc/golive/arm/policy.json"))
    settings = json.loads(scene.bot.need("cat", "/etc/golive/positions.json"))
    scene.bot.need("install", "-d", "-m", "0755", ARM, f"{ROOT}/etc/bot", f"{ROOT}/opt/bot", RUNTIME)
    scene.bot.need("chmod", "0711", FOLDER)
    settings["nonce_file"] = f"{STATE}/nonce"
    settings["pairs"] = [one.replace("/", "") for one in TRADING["trade_pairs"]]
    scene.bot.write(f"{FOLDER}/positions.json", json.dumps(settings), "0644")
    policy["positions"] = ["/usr/bin/python3", "-I", "/usr/local/lib/golive/positions.py", f"{FOLDER}/positions.json",
                           f"{ARM}/exchange_key.cred"]
    scene.bot.write(f"{ARM}/policy.json", json.dumps(policy), "0644")
    scene.bot.need("cp", "/etc/golive/arm/allowed_signers", ARM)
    scene.bot.need("ln", "-sfn", "/opt/bot/releases", f"{ROOT}/opt/bot/releases")
    scene.bot.need("cp", "--no-dereference", "/opt/bot/current", f"{ROOT}/opt/bot/current")
    scene.bot.need("systemd-creds", "encrypt", "--name=exchange_key", "-", f"{ARM}/exchange_key.cred",
                   stdin=json.dumps(scene.mint_for_bot()))
    changes = merged(TRADING, {"paths": {"control_dir": RUNTIME}, "strategy": {"max_hold_candles": HELD_CANDLES}})
    scene.place_unit(TICKET_UNIT)
    scene.configure(changes, f"{ROOT}/etc/bot/live.json")
    return dict(policy)


def _deliver(scene: Scene, policy: Mapping[str, Any], seconds: float) -> None:
    """Draft a ticket about what lies in the drill's root, let the lab's people sign it, and deliver it to the installed verifier."""
    subject = json.loads(scene.bot.need("python3", "-ISB", "-c", tickets.subject_script(ROOT)))
    expires = ticket.utc(datetime.now(timezone.utc) + timedelta(seconds=seconds))
    case = tickets.drafted(policy, subject, expires=expires)
    place = f"{FOLDER}/delivery"
    scene.bot.run("rm", "-rf", place)
    for name, text in case["files"].items():
        scene.bot.write(f"{place}/{name}", base64.b64decode(text).decode("utf-8"), "0644")
    scene.bot.need(*VERIFY.split(), "install", "--from", place)


DRILLS: dict[str, Callable[[Scene], Found]] = {"restart_expired": restart_expired}
