"""ci: the signed result of a suite that CI ran, bound to the commit that is deployed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict, Mapping

from ..canonical import digest
from ..errors import Undecided
from . import _record
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 20
ASK = {
    "directory": "str; required; folder of the records, from the repository's root",
    "suite": "str; required; name of the suite",
    "commit": "str; required; commit id, branch or HEAD of repository",
    "repository": "str; optional; the bot's repository, from the root of this one, which is the default",
    "components": "list of str; optional; each must have at least one test that ran",
    "system": "str; optional",
    "signers": "str; optional; for the reader of the catalogue, the run's own signers are used",
}
FACTS = {
    "bound": "bool; the record is about this commit and unforged",
    "passed": "bool; the suite as a whole",
    "reason": "str",
    "commit": "str; 40 hex digits",
    "age_s": "number",
    "age_days": "number",
    "issuer": "str",
    "id": "str",
    "failed": "int; tests or rules",
    "tests": "int; that ran",
    "skipped": "int",
    "findings_high": "int; of high or critical severity",
    "components_without_tests": "list of str",
    "result.*": "as the suite measures",
}
_COUNTS = ("failed", "tests", "skipped", "findings_high")


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Read the newest record. Its subject is the digest of `{"commit": <40 hex>}`. Raises Undecided for a record of another commit."""
    commit = resolve(str(ask["commit"]), str(ask.get("repository") or "."), look)
    seen = _record.read(dict(ask), look, "ci", str(ask["suite"]), {"commit": commit})
    facts: Dict[str, Any] = {**seen.facts, "commit": commit}
    for name in _COUNTS:
        value = facts.get("result." + name)
        if type(value) is int:
            facts[name] = value
    if ask.get("components") is not None and facts.get("bound"):
        facts["components_without_tests"] = _untested(facts, [str(one) for one in ask["components"]])
    return Observed(facts, witness=seen.witness, opportunities=seen.opportunities)


def subject(commit: str) -> str:
    """Return what a CI record about a commit names as its subject."""
    return digest({"commit": commit})


def resolve(commit: str, repository: str, look: Look) -> str:
    """Return the full id of a commit of the bot's repository. Raises Undecided."""
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}\Z", commit):
        raise Undecided("%s is not the name of a commit" % commit[:60])
    root = Path(str(look.context["root"])) / repository
    done = look.run(["git", "-c", "safe.directory=*", "-C", str(root), "rev-parse", "--verify", "--quiet", commit + "^{commit}"])
    found = done.stdout.strip()
    if done.rc != 0 or not re.match(r"[0-9a-f]{40}\Z", found):
        raise Undecided("the bot's repository has no commit %s" % commit[:60])
    return found


def _untested(facts: Mapping[str, Any], components: Any) -> Any:
    ran = facts.get("result.components")
    if not isinstance(ran, dict):
        raise Undecided("the record does not say how many tests each component has")
    return [name for name in components if type(ran.get(name)) is not int or ran[name] < 1]
