#!/usr/bin/env python3
"""On a host that is neither the bot's nor the guard's: page people when the guard falls silent, and when it is heard again.

One file, standard library only, Python 3.9+. The guard touches a file here as long as it sees the venue. Runs as a service; in each loop it
looks at that file's age, pages what has changed and, while the guard stays silent, pages again. What was paged lies in its state file,
so that a restart neither forgets a silence nor tells the same twice.
"""
from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import sys
import threading
import time
import urllib.parse
from typing import Any, Dict, NamedTuple, Optional

SETTINGS = "/etc/golive/guard_silence.json"
PAGE_TIMEOUT_S = 5.0
NUMBERS = ("silent_s", "starts_within_s", "every_s", "repeat_s")
TEXTS = ("system", "heartbeat", "state_file")


class Problem(Exception):
    """What is wrong with the settings, in one sentence."""


class State(NamedTuple):
    """What must not be forgotten: since when this watch looks, and when a silence was paged last (None: the guard is heard)."""

    since: float
    paged_at: Optional[float] = None


def settings_from(path: str) -> Dict[str, Any]:
    """Return the settings. Raises Problem."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (OSError, ValueError) as exc:
        raise Problem("%s: cannot be read as JSON, found %s" % (path, type(exc).__name__)) from None
    known = {*NUMBERS, *TEXTS, "page"}
    if not isinstance(found, dict) or set(found) != known:
        raise Problem("%s: expected exactly %s" % (path, ", ".join(sorted(known))))
    odd = [name for name in NUMBERS if isinstance(found[name], bool) or not isinstance(found[name], (int, float)) or found[name] <= 0]
    page = found["page"]
    if odd or not isinstance(page, dict) or set(page) != {"url", "token_file", "ca_file"} or not str(page["url"]).startswith("https://"):
        raise Problem("%s: %s" % (path, "expected seconds above 0 in %s" % ", ".join(odd) if odd else "page: expected {url (https), "
                                  "token_file, ca_file}"))
    return found


def silence(heartbeat: str, since: float, now: float) -> float:
    """Return for how long the guard has not been heard: since its last touch, or, where there was none, since this watch began."""
    try:
        return now - max(os.stat(heartbeat).st_mtime, 0.0)
    except OSError:
        return now - since


def word(given: Dict[str, Any], state: State, now: float) -> Optional[str]:
    """Return what has to be paged now: `silent`, `heard`, or nothing. A guard that was never heard has longer to begin."""
    quiet = silence(given["heartbeat"], state.since, now)
    most = given["silent_s"] if os.path.exists(given["heartbeat"]) else given["starts_within_s"]
    if quiet <= most:
        return "heard" if state.paged_at is not None else None
    return "silent" if state.paged_at is None or now - state.paged_at >= given["repeat_s"] else None


def page(given: Dict[str, Any], said: str, quiet: float) -> None:
    """Send the alert. Raises OSError when it was not taken."""
    where = given["page"]
    with open(where["token_file"], encoding="ascii") as handle:
        token = handle.read().strip()
    parts = urllib.parse.urlsplit(where["url"])
    tls = ssl.create_default_context(cafile=where["ca_file"] or None)
    text = "the guard has not been heard for %.0f s: it is down, blind or cut off" % quiet
    text = text if said == "silent" else "the guard is heard again"
    body = json.dumps([{"labels": {"alertname": "GuardSilent", "severity": "critical", "system": given["system"]},
                        "status": "firing" if said == "silent" else "resolved",
                        "annotations": {"summary": text, "action": "nobody watches the account: look at it at the venue"}}])
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=PAGE_TIMEOUT_S, context=tls)
    try:
        connection.request("POST", parts.path or "/alerts", body, {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        status = connection.getresponse().status
    except http.client.HTTPException as exc:
        raise OSError(type(exc).__name__) from None
    finally:
        connection.close()
    if status >= 300:
        raise OSError("status %d" % status)


def recall(path: str, now: float) -> State:
    """Return what was written, or a beginning: what cannot be read is paged again rather than left out."""
    try:
        with open(path, encoding="utf-8") as handle:
            raw = json.load(handle)
        return State(float(raw["since"]), None if raw["paged_at"] is None else float(raw["paged_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return State(now)


def keep(path: str, state: State, quiet: float) -> None:
    """Replace the state file in one step. Raises OSError."""
    fresh = path + ".new"
    with open(fresh, "w", encoding="utf-8") as handle:
        json.dump({**state._asdict(), "silent_for_s": round(quiet, 1)}, handle)
    os.replace(fresh, path)


def look(given: Dict[str, Any], state: State, now: float) -> State:
    """Do one loop and return the state after it."""
    said = word(given, state, now)
    quiet = silence(given["heartbeat"], state.since, now)
    if said is not None:
        try:
            page(given, said, quiet)
            state = state._replace(paged_at=now if said == "silent" else None)
            print("paged: %s, %.0f s" % (said, quiet), flush=True)
        except OSError as exc:
            print("nobody could be paged: %s" % (str(exc)[:80] or type(exc).__name__), flush=True)
    try:
        keep(given["state_file"], state, quiet)
    except OSError as exc:
        print("the state file cannot be written: %s" % exc.strerror, flush=True)
    return state


def main() -> int:
    """Watch until SIGTERM; exit 64 for settings that cannot be used."""
    try:
        given = settings_from(sys.argv[1] if len(sys.argv) > 1 else SETTINGS)
    except Problem as exc:
        print("guard_silence: %s" % exc, file=sys.stderr)
        return 64
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    state = recall(given["state_file"], time.time())
    while not ending.is_set():
        state = look(given, state, time.time())
        ending.wait(given["every_s"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
