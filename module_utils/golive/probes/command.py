"""command: what a tool of the host or of the bot answers, read in the form that the tool has."""
from __future__ import annotations

import json
import os
import re
from typing import Any, Callable, Dict

from ..errors import Undecided
from .look import Completed, Look

WITNESS = "kernel"
DEADLINE_S = 60
ASK = {
    "argv": "list of str; required; program and arguments, no shell",
    "user": "str; optional; run as this user",
    "parse": "str; optional; text, json, chrony_tracking or apt_upgrades",
    "timeout": "number; optional; seconds, 30 is the default",
}
FACTS = {
    "rc": "int; exit code",
    "first_line": "str; of the output",
    "json.*": "JSON; scalars and lists of the top level",
    "offset_abs_s": "number; distance of our clock from the reference",
    "synchronised": "bool; a reference is followed and no leap alarm stands",
    "stratum": "int",
    "sources": "int; sources that answered lately and can be followed",
    "security_pending": "int; packages with a security update that is not installed",
    "security_packages": "list of str",
    "lists_age_s": "number; age of the package lists",
}
_LISTS = "/var/lib/apt/lists"
_SECURITY = re.compile(r"-security\b|Debian-Security|\bUbuntuESM\b", re.IGNORECASE)


def observe(ask: Dict[str, Any], look: Look) -> Dict[str, Any]:
    """Run the command and read its answer; an exit code is a fact, no answer is undecided."""
    argv, parse = ask.get("argv"), ask.get("parse") or "text"
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        raise Undecided("the question has no command")
    if parse not in _PARSERS:
        raise Undecided("no such form of output: %s; known are %s" % (parse, ", ".join(sorted(_PARSERS))))
    done = look.run(argv, timeout=float(ask.get("timeout") or 30), user=ask.get("user"))
    facts: Dict[str, Any] = {"rc": done.rc}
    facts.update(_PARSERS[parse](done, look))
    return facts


def _text(done: Completed, _look: Look) -> Dict[str, Any]:
    lines = done.stdout.strip().splitlines()
    return {"first_line": lines[0][:200] if lines else ""}


def _json(done: Completed, look: Look) -> Dict[str, Any]:
    try:
        value = json.loads(done.stdout)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        words = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Undecided("the command on %s ended with %d and no JSON object: %s" % (look.host, done.rc, words[:160]))
    return {"json." + str(key)[:100]: one for key, one in value.items() if not isinstance(one, dict)}


def _chrony(done: Completed, look: Look) -> Dict[str, Any]:
    """Read `chronyc -c tracking`: reference id, name, stratum, time, offset of the system clock, …, leap status."""
    fields = done.stdout.strip().split(",")
    if done.rc != 0 or len(fields) < 14:
        raise Undecided("chrony on %s does not answer: %s" % (look.host, (done.stdout + done.stderr).strip()[:120]))
    try:
        stratum, offset = int(fields[2]), abs(float(fields[4]))
    except ValueError:
        raise Undecided("chrony on %s answered in a form that is not known" % look.host) from None
    leap, reference = fields[13].strip(), fields[0].strip()
    sources = look.run(["chronyc", "-c", "sources"])
    usable = 0
    for line in sources.stdout.splitlines():
        row = line.split(",")
        usable += len(row) > 5 and row[1] in "*+-" and row[5].isdigit() and int(row[5], 8 if set(row[5]) <= set("01234567") else 10) > 0
    return {"offset_abs_s": offset, "stratum": stratum, "sources": usable,
            "synchronised": 0 < stratum < 16 and leap != "Not synchronised" and reference not in ("", "00000000", "7F7F0101")}


def _apt(done: Completed, look: Look) -> Dict[str, Any]:
    """Read `apt-get -s upgrade`: what a security suite would bring, what of it is held back, and how old the lists are."""
    if done.rc != 0:
        raise Undecided("apt on %s does not answer: %s" % (look.host, (done.stderr.strip().splitlines() or ["no words"])[-1][:160]))
    pending = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("Inst ") and _SECURITY.search(line)}
    held = look.run(["apt-mark", "showhold"])
    if held.rc != 0:
        raise Undecided("the held packages of %s cannot be listed" % look.host)
    for package in held.stdout.split():
        policy = look.run(["apt-cache", "policy", "--", package]).stdout
        installed, candidate = (re.search(r"%s: (\S+)" % word, policy) for word in ("Installed", "Candidate"))
        if installed and candidate and installed.group(1) != candidate.group(1):
            pending.add(package)        # held: the reason why an update does not come does not make the hole smaller
    try:
        # Folders beside the lists (partial, auxfiles) change without any list being fetched.
        paths = [os.path.join(_LISTS, name) for name in os.listdir(_LISTS) if name != "lock"]
        newest = max(os.stat(path).st_mtime for path in paths if os.path.isfile(path))
    except (OSError, ValueError):
        raise Undecided("there are no package lists on %s: nothing is known about updates" % look.host) from None
    age = max(0.0, look.now().timestamp() - newest)
    return {"security_pending": len(pending), "security_packages": sorted(pending), "lists_age_s": round(age)}


_PARSERS: Dict[str, Callable[[Completed, Look], Dict[str, Any]]] = {
    "text": _text, "json": _json, "chrony_tracking": _chrony, "apt_upgrades": _apt,
}
