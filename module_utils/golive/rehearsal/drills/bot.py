"""Drills of the bot's diagnosis on its host: is it complete, and does it say unknown where nothing answers?"""
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .hosts import wait_for
from .scene import FOLDER, Scene

BOT = "/opt/bot/current/app/bin/bot"
Found = tuple[dict[str, Any], int]
# What the list wants answered first. A section that the bot does not have counts as missing, like one it could not answer.
SECTIONS = {"api": ("venue_status", "clock_skew", "nonce_state", "error_rate"),
            "performance": ("latency", "resources", "memory", "queue_depth", "alerts")}


def _diagnose(scene: Scene, topic: str, config: str) -> dict[str, Any]:
    done = scene.bot.run(BOT, "diagnose", "--topic", topic, "--config", config)
    return dict(json.loads(done.stdout)["sections"])


def _diagnosis(topic: str) -> Callable[[Scene], Found]:
    def drill(scene: Scene) -> Found:
        """Ask while the bot runs, then with a venue and a bot that do not answer: what cannot be known must read unknown."""
        scene.start_bot()
        wait_for(lambda: _health(scene), "the bot of the drill answers")
        sections = _diagnose(scene, topic, f"{FOLDER}/live.json")
        missing = [name for name in SECTIONS[topic] if sections.get(name, {}).get("state") != "answered"]
        config = json.loads(scene.bot.need("cat", f"{FOLDER}/live.json"))
        config["venue"]["rest_url"], config["dashboard"]["port"] = "https://127.0.0.1:1", 1
        scene.bot.write(f"{FOLDER}/dark.json", json.dumps(config), "0640", "root:bot")
        dark = _diagnose(scene, topic, f"{FOLDER}/dark.json")
        answered = sorted(name for name, section in dark.items() if section.get("state") != "unknown")
        return {"sections_missing": len(missing), "missing": missing, "unreachable_reads_unknown": bool(dark) and not answered,
                "answered_in_the_dark": answered}, len(SECTIONS[topic])

    return drill


def _health(scene: Scene) -> dict[str, Any] | None:
    """Return what the bot says of itself, None while it says nothing; used to wait, never as proof of an order."""
    done = scene.bot.run("curl", "--silent", "--fail", "--max-time", "3", "http://127.0.0.1:8000/health")
    return dict(json.loads(done.stdout)) if done.returncode == 0 else None


DRILLS: dict[str, Callable[[Scene], Found]] = {
    "diagnose_api": _diagnosis("api"), "diagnose_performance": _diagnosis("performance")}
