"""root_guard: does the bot's own code refuse to open its artifact store in the root of another system, also with asserts switched off?

The release's interpreter opens the store as the bot's user, with and without `-O`: in the bot's own root, which must work, and in each
foreign one, named plainly, over `..`, and over a link. A store that cannot be opened at all would refuse everything and prove nothing.
"""
from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 60
ASK = {
    "python": "str; required; interpreter of the release",
    "path": "list of str; optional; folders in which the module is found",
    "module": "str; required; such as crypto.artifacts",
    "name": "str; required; class or function that takes the root as its only argument",
    "user": "str; required; as whom it is tried",
    "own": "str; required; the root that must be accepted",
    "foreign": "list of str; required; roots that must be refused",
}
FACTS = {
    "own_accepted": "bool; the store opens in its own root, with and without -O",
    "own_refused": "list of str; what was said where it did not",
    "accepted": "list of str; foreign roots that were opened, with how they were named",
    "refused": "int; attempts on foreign roots that were refused",
}
_MODES = ((), ("-O",))
_TRY = """import importlib, json, os, sys, tempfile
asked = json.loads(sys.argv[1])
sys.path[:0] = asked["path"]
opens = getattr(importlib.import_module(asked["module"]), asked["name"])
def tried(root):
    try:
        opens(root)
        return ""
    except Exception as exc:
        return "%s: %s" % (type(exc).__name__, exc)
own, foreign = tried(asked["own"]), {}
with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as place:
    for number, root in enumerate(asked["foreign"]):
        link = os.path.join(place, "link%d" % number)
        os.symlink(root, link)
        around = os.path.join(asked["own"], os.path.relpath(root, asked["own"]))
        for how, named in (("plainly", root), ("over ..", around), ("over a link", link)):
            foreign["%s %s" % (root, how)] = tried(named)
print(json.dumps({"own": own, "foreign": foreign}))
"""


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Return what was opened. Opportunities are the attempts on foreign roots. Raises Undecided where the code cannot be asked at all."""
    foreign = [str(one) for one in ask["foreign"]]
    if not foreign:
        raise Undecided("no foreign root is named: nothing could be refused")
    asked = {"path": [str(one) for one in ask.get("path") or []], "module": str(ask["module"]), "name": str(ask["name"]),
             "own": str(ask["own"]), "foreign": foreign}
    facts: Dict[str, Any] = {"own_accepted": True, "own_refused": [], "accepted": [], "refused": 0}
    for mode in _MODES:
        told = _told([str(ask["python"]), "-B", *mode, "-c", _TRY, json.dumps(asked)], str(ask["user"]), look)
        shown = " with -O" if mode else ""
        if told["own"]:
            facts["own_accepted"] = False
            facts["own_refused"].append((told["own"] + shown)[:200])
        opened: List[str] = [name + shown for name, said in sorted(told["foreign"].items()) if not said]
        facts["accepted"] += opened
        facts["refused"] += len(told["foreign"]) - len(opened)
    return Observed(facts, opportunities=facts["refused"] + len(facts["accepted"]))


def _told(words: List[str], user: str, look: Look) -> Mapping[str, Any]:
    done = look.run(words, timeout=25, user=user)
    try:
        told: Mapping[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Undecided("the bot's code could not be asked: %s" % said[:200]) from None
    return told
