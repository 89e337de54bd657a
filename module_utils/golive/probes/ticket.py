"""ticket: what is armed on a bot's host, judged there by the verifier's own rules, and whether the live unit runs by it."""
from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from typing import Any, Dict, Optional

from ..errors import Undecided
from ..ticket import ARM, Host
from . import _units
from .look import Look

WITNESS = "golive"
DEADLINE_S = 15
ASK = {"directory": "str; required; arming directory of the host", "system": "str; required", "rehearsal": "bool; required; kind of run",
       "unit": "str; optional; the live unit, default bot-live.service"}
FACTS = {"valid": "bool; signatures, people, subject, epoch and window hold", "state": "str; none | valid | expired | voided | refused",
         "reason": "str", "code": "str", "voided": "bool", "expired": "bool", "exit_only": "bool", "key_stored": "bool",
         "key_as_signed": "bool; the stored key is root's alone, this host can open it, and it is the one that the people signed",
         "signers_distinct": "int; persons", "people": "list of str", "roles": "list of str", "stage": "str", "expires": "str; UTC",
         "digest": "str", "key_fingerprint": "str", "epoch": "int; of this host", "unit_running": "bool",
         "release_running": "bool; the running unit works in the release that was signed"}

CREDENTIAL, CREDENTIAL_NAME = ARM + "/exchange_key.cred", "exchange_key"
_RELEASE = re.compile(r"/releases/([0-9a-f]{64})(?:/|$)")


def observe(ask: Dict[str, Any], look: Look) -> Dict[str, Any]:
    """Return what the host holds. No ticket is an answer (`state: none`), not silence."""
    if ask["directory"] != ARM:
        raise Undecided("tickets are installed in %s, not in %s" % (ARM, ask["directory"]))
    if os.geteuid() != 0:
        raise Undecided("the arming directory can only be judged by root")
    shown = Host(now=look.now()).show()
    ticket = shown["ticket"] or {}
    ours = not ticket or (ticket["system"] == ask["system"] and ticket["rehearsal"] == ask["rehearsal"])
    running, pid = _unit(ask.get("unit", "bot-live.service"), look)
    facts: Dict[str, Any] = {
        "valid": shown["state"] == "valid" and ours, "state": shown["state"], "reason": shown["reason"] or "", "code": shown["code"] or "",
        "voided": shown["state"] == "voided", "expired": shown["state"] == "expired", "exit_only": shown["exit_only"],
        "key_stored": shown["key"], "signers_distinct": len(shown["people"]), "people": shown["people"], "roles": shown["roles"],
        "stage": ticket.get("stage", ""), "expires": ticket.get("expires", ""), "digest": shown["digest"] or "",
        "key_fingerprint": ticket.get("key_fingerprint", ""), "epoch": shown["epoch"], "unit_running": running}
    if ticket:
        facts["key_as_signed"] = _key_fingerprint(look) == ticket["key_fingerprint"]
    if running and ticket:
        release = _release_of(pid)
        if release is not None:  # not seen is not false: the judge calls a missing fact undecided
            facts["release_running"] = release == ticket["release"]["artifact"]
    return facts


def _key_fingerprint(look: Look) -> Optional[str]:
    """Return the fingerprint of the public half of the key that the unit would be given at its next start, None if it gets none."""
    try:
        found = os.lstat(CREDENTIAL)
    except FileNotFoundError:
        return None
    if (found.st_mode, found.st_uid) != (stat.S_IFREG | 0o600, 0):
        return None
    done = look.run(["systemd-creds", "decrypt", "--name=" + CREDENTIAL_NAME, CREDENTIAL, "-"])
    try:
        key = json.loads(done.stdout)["key"] if done.rc == 0 else None
    except (ValueError, KeyError, TypeError):
        return None
    return hashlib.sha256(key.encode("utf-8")).hexdigest()[:16] if isinstance(key, str) else None


def _unit(unit: str, look: Look) -> tuple[bool, int]:
    done = look.run(["systemctl", "show", unit, "--property=ActiveState", "--property=MainPID"])
    if done.rc != 0:
        raise Undecided("systemd did not say whether %s runs" % unit)
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return values.get("ActiveState") in ("active", "activating", "reloading"), int(values.get("MainPID", "0") or 0)


def _release_of(pid: int) -> Optional[str]:
    """Return the release that a process works in or has mapped, as the kernel resolved it; None where that does not name exactly one.

    Root of a container may read what is mapped, and not where the process works: one of both is enough, two that differ are none.
    """
    places = [_units.link(pid, "cwd") or "", *_units.mapped(pid)]
    names = {match.group(1) for match in (_RELEASE.search(place) for place in places) if match}
    return "sha256:" + names.pop() if len(names) == 1 else None
