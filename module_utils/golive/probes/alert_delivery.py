"""alert_delivery: what arrived at the receiving side: the canary that crossed a real rule, and the watchdog that always fires."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional

from ..canonical import parse_utc
from ..errors import GoliveError, Undecided
from . import _document
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 15
ASK = {
    "url": "str; required; https://host:port of the receiver, where a person's channel would be read",
    "ca_file": "str; optional; CA of the receiver on the looking host",
    "credential": "str; optional; reference to the bearer token that may read what was received",
    "canary": "str; required; name of the alert whose annotation breached_at says when its series crossed the threshold",
    "watchdog": "str; required; name of the alert that always fires",
}
FACTS = {
    "canary_received": "bool",
    "canary_seconds": "number; from the breach to the receipt, the newest canary",
    "canary_age_s": "number; since the newest canary was received",
    "watchdog_age_s": "number; since the watchdog was received last",
    "received": "int; messages that the receiver still holds",
    "channels": "list of str; through which the newest canary came",
}


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Read GET <url>/received = `{"alerts": [{"received": UTC, "channel", "status", "name", "annotations": {…}}]}`.

    Alertmanager's own word that it sent something is not asked for. Opportunities are the canaries. Raises Undecided when the
    receiver does not answer: then nobody would have been paged either, but nobody knows.
    """
    headers = {"Authorization": "Bearer " + look.secret(str(ask["credential"]))} if ask.get("credential") else {}
    answer = look.get(str(ask["url"]).rstrip("/") + "/received", headers=headers, ca_file=ask.get("ca_file"))
    alerts = _document.mapping(answer.body).get("alerts")
    if answer.status != 200 or not isinstance(alerts, list):
        raise Undecided("the receiver answered %d and no list of what it received" % answer.status)
    now, found = look.now().timestamp(), _document.mappings(alerts)
    canaries = sorted(_delivered(found, str(ask["canary"])), key=lambda one: float(one["at"]))
    watchdogs = [one["at"] for one in _delivered(found, str(ask["watchdog"]))]
    facts: Dict[str, Any] = {"canary_received": bool(canaries), "received": len(found)}
    if canaries:
        newest = canaries[-1]
        facts["canary_age_s"] = round(max(0.0, now - newest["at"]), 3)
        facts["channels"] = sorted({str(one["channel"])[:60] for one in canaries if one["breached"] == newest["breached"]})
        if newest["breached"] is not None:
            facts["canary_seconds"] = round(newest["at"] - newest["breached"], 3)
    if watchdogs:
        facts["watchdog_age_s"] = round(max(0.0, now - max(watchdogs)), 3)
    return Observed(facts, opportunities=len(canaries))


def _delivered(alerts: List[Dict[str, Any]], name: str) -> List[Dict[str, Any]]:
    """Return when each firing alert of a name was received; one from the future is no receipt."""
    found = []
    for one in alerts:
        at = _seconds(one.get("received"))
        if one.get("name") == name and one.get("status") == "firing" and at is not None:
            annotations = one.get("annotations")
            breached = _seconds(annotations.get("breached_at")) if isinstance(annotations, dict) else None
            # A breach after its receipt is a clock or a forgery; then the time it took is not known.
            found.append(
                {"at": at, "channel": one.get("channel", ""), "breached": breached if breached is not None and breached <= at else None}
            )
    return found


def _seconds(value: Any) -> Optional[float]:
    try:
        return parse_utc(value).timestamp()
    except GoliveError:
        pass
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 1e9 < found < 1e11 else None
