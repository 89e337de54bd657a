"""May a bot that was killed be armed again? Rules over the audit chain: the ledger was held against the venue, the cause is signed,
and who signs alone has paused.

A kill is seen by its epoch, which is the second in which it was pulled. It concerns a host that golive had armed and not disarmed
before; a drill on a host that was never armed asks nothing. `reasons()` returns what is missing, in words; empty is the only yes.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from . import canonical
from .envelope import Envelope

STATEMENT, ROLE, INSTANCE = "kill.cause", "operator", "live"
RECONCILED = "reconciled"
_ARMED, _BEGAN, _DISARMED = ("arm.done", "ramp.done"), ("arm.begin", "ramp.begin"), "disarm.done"
_AHEAD = timedelta(minutes=10)      # what the clock of a kill machine may be ahead
HOW = "run playbooks/operate/after_kill.yml"


@dataclass(frozen=True)
class Kill:
    """A kill that no ticket has answered yet. `at`: None where its epoch cannot be the time; `since`: the chain's line of the arming."""

    epoch: int
    at: datetime | None
    since: int

    @property
    def subject(self) -> str:
        """Return what the statement of its cause has to be about."""
        return canonical.digest({"kill": self.epoch})


def unanswered(lines: Sequence[Mapping[str, Any]], host: str, epoch: int, now: datetime) -> Kill | None:
    """Return the kill that ended what this host was last armed for. `epoch`: the highest that the host and the kill machines tell."""
    armed = next((line for line in reversed(lines) if line["subject"] == host and line["act"] in _ARMED), None)
    if armed is None:
        return None
    began = [line for line in lines if line["subject"] == host and line["act"] in _BEGAN
             and line["detail"].get("ticket") == armed["detail"].get("ticket")]
    if epoch <= int(began[-1]["detail"].get("epoch", 0) if began else 0):
        return None
    at = _moment(epoch)
    if at is not None and not canonical.parse_utc(armed["at"]) <= at <= now + _AHEAD:
        at = None
    ended = next((line for line in lines if line["seq"] > armed["seq"] and line["subject"] == host and line["act"] == _DISARMED), None)
    if ended is not None and at is not None and canonical.parse_utc(ended["at"]) < at:
        return None             # nothing was armed any more when it was pulled
    return Kill(epoch, at, int(armed["seq"]))


def reasons(kill: Kill, lines: Sequence[Mapping[str, Any]], host: str, stated: Sequence[Envelope], *, system: str, alone: bool,
            pause_s: float, now: datetime) -> list[str]:
    """Return what is missing before this host may be armed again. `stated`: the statements of a cause that hold, newest first."""
    about = f"{host} was killed{f' at {canonical.utc(kill.at)}' if kill.at else ''} (epoch {kill.epoch})"
    found = []
    cause = next((one for one in stated if one.subject == kill.subject and (kill.at is None or one.issued >= kill.at)), None)
    compared = next((line for line in reversed(lines) if line["act"] == RECONCILED and line["subject"] == host
                     and line["detail"].get("instance") == INSTANCE and line["seq"] > kill.since
                     and (kill.at is None or canonical.parse_utc(line["at"]) >= kill.at)), None)
    if compared is None:
        found.append(f"{about}, and its ledger was not held against the venue since: {HOW}")
    if cause is None:
        found.append(f"{about}, and nobody has signed why and what was changed: {command(kill, system)}")
    elif compared is not None and not compared["detail"].get("equal") \
            and cause.payload["values"]["differences_explained"] != compared["detail"].get("differences"):
        found.append(f"{about}, its ledger and the venue differ in {compared['detail'].get('differences')} points, and the signed cause "
                     f"explains {cause.payload['values']['differences_explained']}")
    began = kill.at or (canonical.parse_utc(compared["at"]) if compared else now)
    if alone and now < began + timedelta(seconds=pause_s):
        found.append(f"{about}: who signs alone pauses until {canonical.utc(began + timedelta(seconds=pause_s))}")
    return found


def command(kill: Kill, system: str) -> str:
    """Return what a person types to state the cause."""
    return (f"python -m golive.sign attest {STATEMENT} --system {system} --role {ROLE} --subject {kill.subject} "
            "--value cause=… --value changed=… --value differences_explained=0 --as NAME --key KEY")


def _moment(epoch: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(epoch, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None
