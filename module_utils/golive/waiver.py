"""Waivers: a red line that a person takes upon themselves, for one release, one observed value and a short time.

Too many, too long, unknown or past: the run does not start. What could not be looked at, and what must never be waived, is not.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from . import canonical, operators
from .envelope import Envelope, Reader
from .errors import GoliveError, Undecided

OPEN_MAX = 5
CRITICAL_MAX = timedelta(hours=72)
ROLE = "approver"
_PAYLOAD = {"control", "reason", "release", "facts", "audit_head"}


class WaiverError(GoliveError):
    """A waiver may not be used; the run does not start with it."""


@dataclass(frozen=True)
class Waiver:
    """One open waiver. `facts` are the observed values it was signed for; `release` the digest it is bound to."""

    control: str
    reason: str
    approver: str
    issued: datetime
    expires: datetime
    release: str
    facts: Mapping[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return what gate and report show."""
        return {"control": self.control, "reason": self.reason, "approver": self.approver, "expires": canonical.utc(self.expires),
                "release": self.release}


def load(reader: Reader, directory: Path, controls: Mapping[str, Mapping[str, Any]]) -> dict[str, Waiver]:
    """Return the open waivers by control id. Raises WaiverError for the first that breaks a rule; an expired one is one of them."""
    envelopes, problems = reader.read_all(directory, "waiver")
    if problems:
        raise WaiverError(str(problems[0]), todo="take it out of the waivers folder or have it signed again")
    found: dict[str, Waiver] = {}
    for envelope in envelopes:
        waiver = _checked(envelope, controls)
        if waiver.control in found:
            raise WaiverError("is waived twice", where=f"{envelope.id}.json", found=waiver.control, todo="keep one of them")
        found[waiver.control] = waiver
    if len(found) > OPEN_MAX:
        raise WaiverError(f"{len(found)} waivers are open, {OPEN_MAX} are the most", where=directory.name,
                          todo="turn a waived line green before you waive another")
    return found


def _checked(envelope: Envelope, controls: Mapping[str, Mapping[str, Any]]) -> Waiver:
    where, payload = f"{envelope.id}.json", envelope.payload
    if set(payload) != _PAYLOAD or not isinstance(payload["facts"], dict) or not payload["facts"]:
        raise WaiverError("does not have the form of a waiver", where=where, expected=", ".join(sorted(_PAYLOAD)),
                          todo="facts must hold at least one observed value: what could not be looked at cannot be waived")
    if not isinstance(payload["reason"], str) or len(payload["reason"].strip()) < 10:
        raise WaiverError("gives no reason", where=where, expected="a sentence")
    if envelope.role != ROLE:
        raise WaiverError("was signed in another role", where=where, found=envelope.role, expected=ROLE)
    control = controls.get(str(payload["control"]))
    if control is None:
        raise WaiverError("waives a control that this system does not have", where=where, found=payload["control"])
    if not control["waivable"]:
        raise WaiverError(f"{payload['control']} can never be waived", where=where, todo=f"turn it green: {control.get('how', '')}")
    if control["severity"] == "critical" and envelope.expires - envelope.issued > CRITICAL_MAX:
        raise WaiverError("lasts longer than a critical control may be waived", where=where, found=str(envelope.expires - envelope.issued),
                          expected="72 h at most")
    if envelope.subject != payload["release"]:
        raise WaiverError("is signed over another release than it names", where=where)
    return Waiver(str(payload["control"]), payload["reason"].strip(), envelope.issuer, envelope.issued, envelope.expires, envelope.subject,
                  payload["facts"])


def covers(waiver: Waiver, control: Mapping[str, Any], release: str, facts: Mapping[str, Any] | None) -> str | None:
    """Return None if the waiver covers what was observed now, else why it has ended. `facts` is None where nobody could look."""
    if waiver.release != release:
        return "the waiver was signed for another release"
    if facts is None:
        return "nobody could look, and that cannot be waived"
    for name, then in waiver.facts.items():
        if name not in facts:
            return f"{name} was not seen, and that cannot be waived"
        if _worse(control["expect"].get(name), then, facts[name]):
            return f"{name} has worsened since it was waived: {_short(facts[name])}, signed for {_short(then)}"
    for name in control["expect"]:
        if name not in waiver.facts and not _holds(control["expect"][name], facts.get(name)):
            return f"{name} is red as well, and was not when it was waived"
    return None


def _worse(tests: Any, then: Any, now: Any) -> bool:
    """An ordered value may get better; any other change is another finding, which nobody has signed for."""
    if now == then:
        return False
    have, had = operators.number(now), operators.number(then)
    if not isinstance(tests, Mapping) or have is None or had is None:
        return True
    if set(tests) <= {"lt", "le"}:
        return have > had
    if set(tests) <= {"gt", "ge"}:
        return have < had
    return True


def _holds(tests: Any, value: Any) -> bool:
    try:
        return value is not None and operators.check_all(value, tests)
    except Undecided:
        return False


def _short(value: Any) -> str:
    return repr(value)[:60]
