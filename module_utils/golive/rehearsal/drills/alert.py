"""The alert drill: a breach with a nonce, planted where metrics begin, has to be read back where a person would see it.

It crosses a rule of its own: nothing that trades is touched, so it may run beside a live bot.
"""
from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

from ...errors import GoliveError, Undecided
from ...probes import alert_delivery
from ...probes.look import Look
from .hosts import Host, NotSeen, wait_for

# The collector's folder is the distribution's default; only *.prom is read there, so a draft is never scraped.
FOLDER = "/var/lib/prometheus/node-exporter"
FILE, DRAFT = f"{FOLDER}/golive_alert_canary.prom", f"{FOLDER}/.golive_alert_canary.new"
ASK_S = 15.0


class Receiver:
    """The receiving side, as the probe `alert_delivery` asks it."""

    def __init__(self, url: str, ca_file: str, token: str, canary: str, watchdog: str, *, rehearsal: bool = True) -> None:
        self._ask = {"url": url, "ca_file": ca_file, "credential": "token", "canary": canary, "watchdog": watchdog}
        self._token, self._rehearsal = token, rehearsal

    def _look(self) -> Look:
        return Look("controller", "receiver", self._rehearsal, {"token": self._token}, time.monotonic() + ASK_S)

    def facts(self) -> dict[str, Any]:
        """Return the facts of the probe. Raises Undecided when the receiver does not answer."""
        return dict(alert_delivery.observe(self._ask, self._look()).facts)

    def nonces(self) -> set[str]:
        """Return the nonces of the canaries that arrived firing. Raises Undecided when the receiver does not answer."""
        answer = self._look().get(self._ask["url"].rstrip("/") + "/received", headers={"Authorization": "Bearer " + self._token},
                                  ca_file=self._ask["ca_file"])
        try:
            alerts = json.loads(answer.body)["alerts"]
            return {one["annotations"]["nonce"] for one in alerts
                    if one["name"] == self._ask["canary"] and one["status"] == "firing" and "nonce" in one["annotations"]}
        except (ValueError, KeyError, TypeError):
            raise Undecided(f"the receiver answered {answer.status} and no list of what it received") from None


def due(facts: dict[str, Any], planted: bool, *, within_s: float, max_age_s: float) -> str | None:
    """Return why a canary has to be planted, or None. Half of its age is left to whoever looks after this run."""
    if planted:
        return "a drill that did not end left its canary"
    if not facts["canary_received"]:
        return "no canary has arrived"
    if facts.get("canary_seconds") is None or facts["canary_seconds"] > within_s:
        return "the last canary came late"
    return "the last canary is old" if facts["canary_age_s"] > max_age_s / 2 else None


def planted(bot: Host) -> bool:
    """Return whether a canary lies on the host. Raises GoliveError when that cannot be said."""
    found = bot.run("test", "-e", FILE)
    if found.returncode not in (0, 1):
        raise GoliveError("cannot be looked at", where=bot.name, found=FILE)
    return found.returncode == 0


def plant(bot: Host) -> str:
    """Cross the canary's rule at the bot's host, with its own clock, and return the nonce."""
    nonce = secrets.token_hex(8)
    breached = int(bot.need("date", "+%s"))
    bot.need("test", "-d", FOLDER)
    bot.write(DRAFT, f'golive_alert_canary{{nonce="{nonce}"}} {breached}\n', "0644")
    bot.need("mv", DRAFT, FILE)
    return nonce


def remove(bot: Host) -> None:
    """Take the canary away; also what a drill left that was killed."""
    bot.need("rm", "-f", FILE, DRAFT)


def drill(bot: Host, arrived: Callable[[], set[str]], within_s: float) -> str:
    """Plant a canary, wait until its nonce is read back, and take it away. Returns what was seen, in one sentence."""
    try:
        nonce, began = plant(bot), time.monotonic()
        try:
            wait_for(lambda: nonce in arrived(), "the canary is read back at the receiver", within_s, pause_s=0.5)
        except NotSeen:
            return f"FAILED: the canary did not arrive within {within_s:g} s; look at Prometheus, then Alertmanager, then the receiver"
        return f"the canary arrived {time.monotonic() - began:.1f} s after it was planted"
    finally:
        remove(bot)
