"""What a person at a terminal sees of a report, and the one line that a unit's journal gets."""

from __future__ import annotations

from typing import Any, Mapping

from .model import RIGHTS
from .rules import Judgement

_MARKS = {True: "✓", False: "✗", None: "?"}
_PLAIN = {True: "yes", False: "no ", None: "?  "}  # for a terminal that cannot write the marks: "?" must never stand for one
_ROWS = (
    ("key", "key_fingerprint"),
    ("as of", "as_of"),
    ("created", "created"),
    ("age, days", "age_days"),
    ("expires", "expires"),
    ("last used", "last_used"),
    ("sub-account", "sub_account"),
    ("nonce window", "nonce_window"),
    ("spent nonce", "nonce.spent"),
    ("asked", "venue_host"),
    ("address", "resolved_address"),
    ("certificate", "tls_issuer"),
    ("clock, s ahead", "clock_offset_s"),
)


def table(title: str, found: Mapping[str, Any], judgement: Judgement, plain: bool = False) -> str:
    """Return the rights with ✓ ✗ ?, what else the venue said, and the verdict with its reasons. `plain` writes ASCII marks."""
    marks = _PLAIN if plain else _MARKS
    lines = [title, ""]
    if "rights.unknown" in found:
        lines += ["  %s %s%s" % (marks[found.get("rights." + name)], name, _remark(name, found)) for name in RIGHTS]
        lines += ["  ! %s (golive does not know this right)" % name for name in found["rights.unrecognised"]]
        lines += ["", "  may be used from: " + _places(found)]
    lines += ["  %-16s %s" % (label + ":", found[name]) for label, name in _ROWS if name in found]
    lines += ["  note: " + note for note in found.get("notes", [])]
    lines += ["", line(found, judgement)]
    return "\n".join(lines)


def line(found: Mapping[str, Any], judgement: Judgement) -> str:
    """Return the verdict in one line."""
    why = "; ".join([*judgement.problems, *judgement.undecided])
    if not why:
        why = "may: %s; as of %s" % (", ".join(found.get("rights.granted", [])) or "nothing", found.get("as_of", "?"))
    return "%s: %s key %s: %s" % (judgement.verdict.upper(), found["venue"], found["key_fingerprint"], why)


def _remark(name: str, found: Mapping[str, Any]) -> str:
    return "  (comes with another right at this venue)" if name in found["rights.inseparable"] else ""


def _places(found: Mapping[str, Any]) -> str:
    state = found["ip.state"]
    if state == "listed":
        return ", ".join(found["ip.list"])
    return {"open": "everywhere", "restricted": "certain addresses; the venue does not tell which"}.get(state, "? (the venue does not say)")
