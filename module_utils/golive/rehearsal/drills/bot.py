"""Drills of the bot's diagnosis on its host: is it complete, and does it say unknown where nothing answers?"""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ...operate import incident
from .hosts import wait_for
from .returning import INCIDENT_PLACES
from .scene import CONFIG, FOLDER, Scene

Found = tuple[dict[str, Any], int]
# What the list wants answered first, and which section of the record of playbooks/operate/diagnose.yml answers it.
SECTIONS = {
    "api": {"venue_status": "live.api.venue_status", "clock_skew": "live.api.clock_skew", "nonce_state": "live.api.nonce_state",
            "error_rate": "live.api.error_rate"},
    "performance": {"latency": "live.performance.latency", "resources": "live.performance.resources",
                    "memory": "live.performance.memory", "queue_depth": "live.performance.queue_depth", "alerts": "alerts"}}
NOWHERE = "https://127.0.0.1:1"


def _diagnose(scene: Scene, topic: str, config: str, prometheus_url: str) -> dict[str, Any]:
    """Return the sections that the list wants, as the installed procedure collects them. One that is not there counts as unknown."""
    asked = {"instances": ["live"], "topics": [topic], "prometheus_url": prometheus_url}
    told = scene.bot.ask(incident, asked, {**INCIDENT_PLACES, "/etc/bot/%s.json": f"{FOLDER}/{config}%.0s.json"})["sections"]
    return {name: told.get(place, {}) for name, place in SECTIONS[topic].items()}


def _diagnosis(topic: str) -> Callable[[Scene], Found]:
    def drill(scene: Scene) -> Found:
        """Ask while the bot runs, then with a venue, a bot and a Prometheus that do not answer: what cannot be known must read unknown."""
        scene.start_bot()
        wait_for(scene.health, "the bot of the drill answers")
        sections = _diagnose(scene, topic, "live", str(scene.variables["prometheus_url"]))
        missing = sorted(name for name, section in sections.items() if section.get("state") != "answered")
        config = json.loads(scene.bot.need("cat", CONFIG))
        config["venue"]["rest_url"], config["dashboard"]["port"] = NOWHERE, 1
        scene.bot.write(f"{FOLDER}/dark.json", json.dumps(config), "0640", "root:bot")
        dark = _diagnose(scene, topic, "dark", NOWHERE)
        answered = sorted(name for name, section in dark.items() if section.get("state") != "unknown")
        return {"sections_missing": len(missing), "missing": missing, "unreachable_reads_unknown": not answered,
                "answered_in_the_dark": answered}, len(sections)

    return drill


DRILLS: dict[str, Callable[[Scene], Found]] = {
    "diagnose_api": _diagnosis("api"), "diagnose_performance": _diagnosis("performance")}
