"""Questions that can only be asked before the bot is armed: their answer is kept from then on.

Some are about the moment before the first live order (`opening: true`): an account that trades holds positions, a ledger that is
written is not empty, and the key lies on the host. Others would take a nonce from the running bot; only that reason counts, a venue
that does not answer stays undecided, and what is seen red is red. Asked again, both would close gates for no
reason, and no second run would end. So while the ticket that this run found on the host is in force, the verdict that the arming run
wrote into its gate is carried over. Its gate record must be the one that the audit chain names. After a kill, a disarming, or where the
record is gone, the question is asked anew.
"""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import acts
from .canonical import file_digest
from .errors import GoliveError
from .rundir import RunDir

ARMED = "armed"  # folder of the run: what `bind_release` found on each host, before anything was armed
IN_FORCE = ("valid", "expired")
DONE = ("arm.done", "ramp.done")
GATE_ACT = "gate"
SEEN = "seen before it was armed"
NOT_FREE = "spends a nonce of the key, and"  # the words of golive.exchange.ask


def keep(run: RunDir, host: str, shown: Mapping[str, Any]) -> None:
    """Write down which ticket a host holds, as its verifier shows it; the report compares its release with this run's."""
    run.write(f"{ARMED}/{host}.json", {"state": shown["state"], "digest": shown["digest"]})
    if shown["state"] in IN_FORCE and shown.get("ticket"):
        run.write("last_ticket.json", shown["ticket"])


def outdated(run: RunDir, host: str, shown: Mapping[str, Any]) -> bool:
    """Return whether an answer may have been carried for a ticket that the host does not hold (any more).

    Where none was in force nothing was carried: drills in between may have voided what they like.
    """
    kept = run.read(f"{ARMED}/{host}.json") or {}
    return kept.get("state") in IN_FORCE and kept.get("digest") != shown["digest"]


def carried(run: RunDir, controls: Mapping[str, Mapping[str, Any]], found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the verdicts of a phase; those that can only be given before arming as the run that armed the subject recorded them."""
    if not any(_only_before(controls[one["control"]], one) for one in found):
        return list(found)
    try:
        lines: Sequence[Mapping[str, Any]] = acts.log_of(run).verify().lines
    except GoliveError:
        return list(found)  # whoever arms refuses by the broken chain itself
    return [_one(run, lines, one) if _only_before(controls[one["control"]], one) else one for one in found]


def _only_before(control: Mapping[str, Any], verdict: Mapping[str, Any]) -> bool:
    return bool(control.get("opening")) or (verdict["verdict"] == "undecided" and NOT_FREE in str(verdict["reason"]))


def _one(run: RunDir, lines: Sequence[Mapping[str, Any]], now: dict[str, Any]) -> dict[str, Any]:
    kept = run.read(f"{ARMED}/{now['subject']}.json") or {}
    if kept.get("state") not in IN_FORCE or not kept.get("digest"):
        return now
    armed = next((line for line in reversed(lines) if line["act"] in DONE and line["subject"] == now["subject"]
                  and line["detail"].get("ticket") == kept["digest"]), None)
    then = _recorded(run.path.parent, lines, str(armed["run"]), now) if armed and armed["run"] != run.run else None
    if armed is None or then is None or then.get("verdict") not in ("pass", "waived"):
        return now
    reason = str(then["reason"])
    words = reason if reason.startswith(SEEN) else f"{SEEN}, {then['at']}: {reason}"
    return {**now, "verdict": then["verdict"], "reason": words, "seen": then["seen"], "closes": False}


def _recorded(reports: Path, lines: Sequence[Mapping[str, Any]], run: str, now: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the same verdict in the gate record of an earlier run, if that is the record which the chain names."""
    path = reports / run / str(now["phase"]) / "gate.json"
    noted = [line["detail"].get("digest") for line in lines
             if line["act"] == GATE_ACT and line["run"] == run and line["subject"] == now["phase"]]
    try:
        if not noted or file_digest(str(path)) != noted[-1]:
            return None
        verdicts = json.loads(path.read_text("utf-8"))["verdicts"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = [one for one in verdicts if (one["control"], one["subject"], one["vantage"]) == (now["control"], now["subject"], now["vantage"])]
    return dict(same[0]) if len(same) == 1 else None
