"""file_access: what a user can read, list and write, tried as that user, in the mount namespace of a running unit if one is named.

Reading is tried by opening; writing and creating are asked of the kernel (access), because a look changes nothing. Every question has its
control: paths that the user must be able to read. Without them a user who can do nothing at all would look isolated.
"""
from __future__ import annotations

import glob
import json
import os
import pwd
import re
from typing import Any, Dict, List, Mapping

from ..errors import Undecided
from . import _units
from .look import Look, Observed

WITNESS = "kernel"
DEADLINE_S = 20
ASK = {
    "user": "str; required; as whom it is tried",
    "paths": "list of str; required; files, directories or patterns that should be closed to the user; patterns are resolved as root",
    "control": "list of str; required; files that the user must be able to read, and directories it must be able to pass",
    "unit": "str; optional; look from inside of this unit's mount namespace",
}
FACTS = {
    "control_ok": "bool; everything named as control could be read or passed",
    "control_failed": "list of str",
    "allowed": "list of str; what was possible and should not be, as `read PATH`, `list PATH`, `write PATH`, `create PATH`",
    "allowed_count": "int",
    "tried": "int; paths that are there and were tried",
}
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_CAP = 500
_TRY = """import json, os, sys
asked = json.load(sys.stdin) if len(sys.argv) < 2 else json.loads(sys.argv[1])
def may(act):
    try:
        act()
        return True
    except OSError:
        return False
def opened(path):
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
def effective(path, mode):
    if not os.access(path, mode, effective_ids=True):
        raise PermissionError
allowed, control = [], []
for path in asked["paths"]:
    folder = asked["folders"][path]
    tries = [("list", lambda: os.listdir(path)), ("create", lambda: effective(path, os.W_OK | os.X_OK))] if folder else [
        ("read", lambda: opened(path)), ("write", lambda: effective(path, os.W_OK))]
    allowed += ["%s %s" % (name, path) for name, act in tries if may(act)]
for path in asked["control"]:
    if not may(lambda: os.stat(path) and (effective(path, os.X_OK) if os.path.isdir(path) else opened(path))):
        control.append(path)
print(json.dumps({"allowed": allowed, "control": control}))
"""


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Return what the user can do. Raises Undecided where the user, the unit or every path is missing."""
    user = str(ask["user"])
    if _USER.match(user) is None:
        raise Undecided("%r is not the name of a user" % user[:40])
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Undecided("there is no user %s" % user) from None
    paths = _resolved([str(one) for one in ask["paths"]])
    if not paths:
        raise Undecided("none of the paths is there: nothing could be tried")
    asked = {"paths": paths, "folders": {path: os.path.isdir(path) for path in paths}, "control": [str(one) for one in ask["control"]]}
    if not asked["control"]:
        raise Undecided("no control is named: a user who can do nothing would look isolated")
    words = ["/usr/bin/python3", "-ISc", _TRY, json.dumps(asked)]
    if ask.get("unit"):
        unit = _units.show(str(ask["unit"]), look)
        if not unit.running:
            raise Undecided("%s does not run, so there is no namespace to look from" % ask["unit"])
        words = ["nsenter", "--target", str(unit.pid), "--mount", "--", "setpriv", "--reuid", user, "--regid", str(entry.pw_gid),
                 "--init-groups", "--", *words]
        done = look.run(words, timeout=15)
    else:
        done = look.run(words, timeout=15, user=user)
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise Undecided("trying as %s failed: %s" % (user, done.stderr.strip()[-200:])) from None
    facts: Dict[str, Any] = {"control_ok": not told["control"], "control_failed": told["control"], "allowed": told["allowed"][:_CAP],
                             "allowed_count": len(told["allowed"]), "tried": len(paths)}
    return Observed(facts, opportunities=len(paths))


def _resolved(patterns: List[str]) -> List[str]:
    found: List[str] = []
    for one in patterns:
        if not one.startswith("/"):
            raise Undecided("%s is not an absolute path" % one[:80])
        found += sorted(glob.glob(one, recursive=True)) if glob.has_magic(one) else ([one] if os.path.lexists(one) else [])
    return sorted(set(found))[:_CAP]
