"""Drills of ends and returns with a position open: a restart by the book, and the way back to paper. Found = (measured, opportunities)."""
from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from ... import bundle, session
from ...operate import compare, incident, restart
from .hosts import wait_for
from .scene import CONTROLS, DROP_INS, FOLDER, STATE, TRADING, UNIT, Scene, merged

Found = tuple[dict[str, Any], int]
# Where the operating procedures look and what stands there for a drill; each is a format with the instance's name.
RESTART_PLACES = {"/run/bot/%s/no_entries": f"{CONTROLS.rpartition('/')[0]}/%s/no_entries"}
INCIDENT_PLACES = {"/var/lib/bot/%s/ledger.jsonl": f"{STATE}%.0s/ledger.jsonl", "/etc/bot/%s.json": f"{FOLDER}/%s.json"}
QUERY_RIGHTS = ["query-funds", "query-open-trades", "query-closed-trades", "query-ledger"]
REFERENCE = "vault:kv/drill/query#key"  # a name for the reader's question; the key itself is minted with the scene and stored nowhere
PAPER_UNITS = ("bot-shadow.service", "bot-wire.service")


def step(scene: Scene, name: str, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Do one step of playbooks/operate/restart.yml on the live unit of the drill."""
    payload = {"instance": "live", "step": name, "check": False, "before": before}
    return dict(scene.bot.ask(restart, payload, RESTART_PLACES))


def reconciled(scene: Scene) -> dict[str, Any]:
    """Hold the drill's ledger against the venue by the reader that is not the bot, as the playbook does."""
    venue = {"url": str(scene.variables["exchange_url"]), "ca_file": str(scene.variables["exchange_ca_file"]), "credential": REFERENCE}
    ask = {**venue, "path": f"{STATE}/ledger.jsonl", "settle_s": 0.5, "window_s": 3600.0}
    asked = compare.question(scene.bot.name, ask, rehearsal=True)
    script = bundle.script(asked, {REFERENCE: json.dumps(scene.mint(f"query {secrets.token_hex(2)}", QUERY_RIGHTS))})
    done = scene.bot.run("python3", "-ISE", "-", stdin=script.decode("utf-8"))
    return compare.verdict(session.answers(done.stdout, str(asked["nonce"])), "drill")


def restart_by_the_book(scene: Scene) -> Found:
    """Capture, end entries, restart, compare, and only then trade: every step as the playbook has it, with a position open."""
    held = scene.start_trading(max_positions=1)
    topics = sorted(incident.TOPICS)
    asked = {"instances": ["live"], "topics": topics, "prometheus_url": str(scene.variables["prometheus_url"])}
    sections = scene.bot.ask(incident, asked, INCIDENT_PLACES)["sections"]
    unknown = sorted(name for name, one in sections.items() if one.get("state") != "answered")
    before = step(scene, "halt")["before"]
    sent, running = scene.totals()["entries"], scene.bot.unit(UNIT)["MainPID"]
    # Read by the restart: room for one more position, so that entries can be seen to begin again, and only then.
    scene.configure(merged(TRADING, {"max_positions": 2}))
    step(scene, "restart", before)
    equal = reconciled(scene)
    quiet = scene.totals()["entries"] == sent
    restored = scene.protected() and scene.bot.unit(UNIT)["MainPID"] != running
    step(scene, "resume")
    # The control stimulus: this bot does open positions as soon as it may, so its silence before was obedience.
    wait_for(lambda: scene.totals()["entries"] > sent, "entries begin again after the restart")
    return {"evidence_captured": not unknown, "unknown": unknown, "reconciled_before_trading": bool(equal["equal"]) and quiet,
            "orders_compared": equal["compared"], "state_restored": restored}, len(held["positions"])


def revert_to_paper(scene: Scene) -> Found:
    """The live unit trades with positions open: the steps of go_paper.yml end it, paper runs, and live does not return."""
    scene.start_trading()
    before, resting = scene.totals()["entries"], len(scene.state()["orders"]["open"])
    began = time.monotonic()
    scene.bot.need("systemctl", "stop", UNIT)
    result = scene.bot.need("systemctl", "show", "--property=Result", "--value", UNIT).strip()
    scene.bot.need("systemctl", "start", *PAPER_UNITS)
    # Key and ticket leave the host: here the drop-in that stood for them.
    scene.bot.need("rm", "-rf", DROP_INS, f"{FOLDER}/exchange_key")
    scene.bot.need("systemctl", "daemon-reload")
    wait_for(lambda: all(scene.bot.unit(one)["ActiveState"] == "active" for one in PAPER_UNITS), "the halves of the paper run are up")
    seconds = time.monotonic() - began
    ended = scene.totals()["order_requests"]
    scene.bot.run("systemctl", "start", UNIT)
    decided = _paper_decisions(scene)
    wait_for(lambda: _paper_decisions(scene) >= decided + 20, "paper goes on deciding")
    back = scene.bot.unit(UNIT)["ActiveState"] in ("active", "activating")
    later = scene.totals()["order_requests"] - ended
    return {"seconds": round(seconds, 3), "ended_by_itself": result == "success", "live_orders_after": later,
            "open_orders_unhandled": scene.open_entries() + int(not scene.protected()), "came_back": back,
            "control_stimulus_passed": before >= 1 and not back}, before + resting


def _paper_decisions(scene: Scene) -> int:
    done = scene.bot.run("curl", "--silent", "--fail", "--max-time", "3", "http://127.0.0.1:8001/health")
    return int(json.loads(done.stdout)["decisions"]) if done.returncode == 0 else 0


DRILLS: dict[str, Callable[[Scene], Found]] = {"restart": restart_by_the_book, "revert_to_paper": revert_to_paper}
