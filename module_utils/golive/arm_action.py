"""Arming and lifting a stage: delivers a signed ticket and the exchange key, after verifying the run's whole record itself (M2).

Controller only; the action plugins `arm` and `ramp` are these two classes.
"""
from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from . import (
    acts,
    arming,
    attestation,
    canonical,
    draft,
    envelope,
    epoch,
    evidence,
    opening,
    ramp,
    record,
    secrets,
    session,
    signing,
    ticket,
    way_back,
)
from .canonical import parse_utc, utc
from .envelope import reader
from .errors import GoliveError, Undecided
from .kill_switch import dead_man
from .money import MoneyAction

OBJECT_TICKET, OBJECT_KEY = "ticket:/etc/golive/arm/installed", "file:/etc/golive/arm/exchange_key.cred"


class ArmAction(MoneyAction):
    """Task `arm:`; see library/arm.py for the arguments. Writes the audit line before it acts and is safe to repeat after a crash."""

    ACT = "arm"

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"credential": {"type": "str", "required": True}, "ticket": {"type": "path"},
                                                "venue_offset_s": {"type": "float"}, "foreseen": {"type": "dict", "default": {}}})
        place = Path(given["ticket"]) if given["ticket"] else draft.folder(joined.run.path.parent, host)
        found = self.on_host("state", task_vars)
        if self._task.check_mode and (given["foreseen"].get("drafted") or not (place / "ticket.json").is_file()):
            return _result(_foreseen(found, given["foreseen"].get("key_fingerprint")), ["the ticket of this run is not signed yet"])
        if not (place / "ticket.json").is_file():
            raise GoliveError("no ticket waits for this host", where=host, todo="have it drafted and signed: playbooks/signoff.yml")
        data, signatures = signing.read_bundle(place / "ticket.json")
        wanted = ticket.parse_ticket(data)
        if self._task.check_mode and given["foreseen"].get("put_back"):
            found = _put_back(found)
        changes = _changes(found, canonical.digest(data), wanted)
        if not changes:
            self._note_recovered(joined, host, canonical.digest(data))
            return _result([], [])
        problems = self._problems(joined, host, task_vars, place, wanted, found)
        if self._task.check_mode:
            return _result(changes, problems)
        if problems:
            acts.note(joined.run, f"{self.ACT}.refused", host, {"ticket": canonical.digest(data), "reasons": problems[:20]})
            more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
            raise GoliveError(f"{host} is not armed: " + "; ".join(problems[:5]) + more)
        credential = self._credential(given["credential"], wanted, task_vars)
        return self._deliver(joined, host, task_vars, wanted, data, signatures, changes, credential, given["venue_offset_s"])

    def _deliver(self, joined: session.Session, host: str, task_vars: dict[str, Any], wanted: dict[str, Any], data: bytes,
                 signatures: dict[str, bytes], changes: list[tuple[str, str, Any, Any]], credential: str, offset: float | None,
                 ) -> dict[str, Any]:
        digest = canonical.digest(data)
        acts.note(joined.run, f"{self.ACT}.begin", host, {
            "ticket": digest, "release": wanted["release"]["artifact"], "stage": wanted["stage"], "expires": wanted["expires"],
            "epoch": wanted["epoch"], "signed_by": sorted(signatures), "key_fingerprint": wanted["key_fingerprint"]})
        objects = {one[0] for one in changes}
        bundle = {"ticket.json": data, **{f"ticket.json.{name}.sig": text for name, text in signatures.items()}}
        encoded = {name: base64.b64encode(text).decode("ascii") for name, text in bundle.items()}
        try:
            after = self.on_host("deliver", task_vars, venue_offset=offset, ticket=encoded if OBJECT_TICKET in objects else None,
                                 credential=base64.b64encode(credential.encode()).decode("ascii") if OBJECT_KEY in objects else None)
        except GoliveError as exc:
            acts.note(joined.run, f"{self.ACT}.failed", host, {"ticket": digest, "reason": str(exc)[:400]})
            raise
        if after["show"]["state"] != "valid" or after["key_fingerprint"] != wanted["key_fingerprint"]:
            reason = after["show"].get("reason") or "the stored key is not the one of the ticket"
            acts.note(joined.run, f"{self.ACT}.failed", host, {"ticket": digest, "reason": str(reason)[:400]})
            raise GoliveError(f"{host} took the ticket but is not armed: {reason}", todo="run again")
        acts.note(joined.run, f"{self.ACT}.done", host, {"ticket": digest, "stage": wanted["stage"]})
        return _result(changes, [])

    def _problems(self, joined: session.Session, host: str, task_vars: dict[str, Any], place: Path, wanted: dict[str, Any],
                  found: dict[str, Any]) -> list[str]:
        values = self.profile_of(joined)
        problems = dead_man.refused_by(values)
        now = parse_utc(utc())
        try:
            signers = signing.signers_of(session.ROOT / "signers" / joined.system, joined.rehearsal)
            signing.examine_ticket(place, signers, self.policy_of(joined, host, values), now)
        except (GoliveError, ticket.Refused) as exc:
            problems.append(str(exc))
        if found["verifier"] is not None and found["verifier"] != canonical.file_digest(ticket.__file__):
            problems.append("the verifier on the host is not the one of this golive: run the bot role")
        info = joined.info
        groups = {name: list(hosts) for name, hosts in task_vars["groups"].items()}
        wish = arming.Wish(joined.run.run, joined.system, host, groups, wanted, str(values.get("signoff_people")), self.flags())
        if info["mode"] == "real":
            problems += arming.reasons(record.load(joined.run), wish, now)
        if opening.outdated(joined.run, host, found["show"]):
            problems.append("the host holds another ticket than when this run judged it; run golive.yml again")
        answers = self.epochs(task_vars)
        problems += epoch.reasons(wanted["epoch"], answers)
        problems += _not_back(joined, host, max(epoch.highest(answers), found["show"].get("epoch") or 0), values, now)
        return problems + self.stage_problems(joined, values, wanted, _armed_before(found))

    def stage_problems(self, joined: session.Session, values: dict[str, Any], wanted: dict[str, Any],
                       installed: dict[str, Any] | None) -> list[str]:
        """Return why this stage must not be armed. `arm` never lifts a stage: that is what `ramp` is for."""
        del joined
        stages = [str(stage["name"]) for stage in values["ramp_stages"]]
        return ramp.reasons(stages, installed, wanted, "a stage is lifted by playbooks/operate/ramp.yml", days_min=0, events_min=0)

    def _credential(self, reference: str, wanted: dict[str, Any], task_vars: dict[str, Any]) -> str:
        value = secrets.resolve(reference, task_vars, self._templar.template)
        try:
            key = json.loads(value)["key"]
        except (ValueError, KeyError, TypeError):
            raise GoliveError("the secret is not a JSON object with key and secret", where=reference) from None
        if canonical.fingerprint(str(key)) != wanted["key_fingerprint"]:
            raise GoliveError("the key in the store is not the one that was signed for", where=reference,
                              found=canonical.fingerprint(str(key)), expected=wanted["key_fingerprint"], todo="sign a new ticket")
        return value

    def _note_recovered(self, joined: session.Session, host: str, digest: str) -> None:
        """A crash after the delivery left an act without its end in the chain: what is found on the host closes it."""
        if self._task.check_mode:
            return
        lines = [line for line in acts.log_of(joined.run).verify().lines
                 if line["subject"] == host and line["detail"].get("ticket") == digest]
        if lines and lines[-1]["act"].endswith(".begin"):
            acts.note(joined.run, lines[-1]["act"].replace(".begin", ".done"), host, {"ticket": digest, "found_after_a_crash": True})


class RampAction(ArmAction):
    """The one rule by which `ramp` differs: the next stage is armed on the signed record of the one before."""

    ACT = "ramp"

    def stage_problems(self, joined: session.Session, values: dict[str, Any], wanted: dict[str, Any],
                       installed: dict[str, Any] | None) -> list[str]:
        """Return why this stage must not be armed, by the evidence of the stage before."""
        stages = [str(stage["name"]) for stage in values["ramp_stages"]]
        facts: dict[str, Any] | str
        try:
            now = parse_utc(utc())
            number = stages.index(wanted["stage"]) + 1 if wanted["stage"] in stages else 0
            found = evidence.newest(reader(session.ROOT, joined.system, now, rehearsal=joined.rehearsal),
                                    session.ROOT / str(values["evidence_directory"]), "drill", f"ramp_stage_{number}")
            facts = {**evidence.facts(found, wanted["release"]["artifact"], now), "opportunities": found.payload["opportunities"]}
        except (GoliveError, Undecided) as exc:
            facts = str(exc)
        return ramp.reasons(stages, installed, wanted, facts, days_min=float(values["ramp_stage_days_min"]),
                            events_min=int(values["ramp_fills_min"]))


def _armed_before(found: dict[str, Any]) -> dict[str, Any] | None:
    """Return the ticket that armed this host, if the ramp may go on from it. A voided or refused one starts the ramp again."""
    shown = found["show"]
    return shown["ticket"] if shown["state"] in ("valid", "expired") else None


def _not_back(joined: session.Session, host: str, highest: int, values: dict[str, Any], now: datetime) -> list[str]:
    """Return what is missing of the way back behind a kill of this host; a chain that does not hold refuses by its own rule."""
    try:
        lines = acts.log_of(joined.run).verify().lines
        kill = way_back.unanswered(lines, host, highest, now)
        if kill is None:
            return []
        alone = str(values.get("signoff_people")) == "solo"
        if alone and values.get("signoff_solo_pause_s") is None:
            return ["the profile does not say signoff_solo_pause_s: how long who signs alone pauses after a kill"]
        reader = envelope.reader(session.ROOT, joined.system, now, rehearsal=joined.rehearsal)
        stated = attestation.find(reader, session.ROOT / str(values["attestation_directory"]), way_back.STATEMENT, way_back.ROLE).good
    except KeyError as exc:
        return [f"the profile of this run does not hold {exc.args[0]}"]
    except GoliveError as exc:
        return [str(exc)]
    return way_back.reasons(kill, lines, host, stated, system=joined.system, alone=alone,
                            pause_s=float(values.get("signoff_solo_pause_s") or 0), now=now)


def _changes(found: dict[str, Any], digest: str, wanted: dict[str, Any]) -> list[tuple[str, str, Any, Any]]:
    shown, changes = found["show"], []
    if not (shown["digest"] == digest and shown["state"] == "valid"):
        changes.append((OBJECT_TICKET, "update" if shown["digest"] else "create", shown["digest"], digest))
    if found["key_fingerprint"] != wanted["key_fingerprint"]:
        before = found["key_fingerprint"]
        changes.append((OBJECT_KEY, "update" if before else "create", before, wanted["key_fingerprint"]))
    return changes


def _put_back(found: dict[str, Any]) -> dict[str, Any]:
    """Return the host's state as it would be once deploying had put back what was signed; any other reason against its ticket stays."""
    shown = found["show"]
    return {**found, "show": {**shown, "state": "valid"}} if shown.get("code") == "changed_subject" else found


def _foreseen(found: dict[str, Any], key: str | None) -> list[tuple[str, str, Any, Any]]:
    """Return the changes by a ticket that a dry run has not drafted; `key` is the fingerprint that it would name, None if not known."""
    shown, stored = found["show"], found["key_fingerprint"]
    changes: list[tuple[str, str, Any, Any]] = [(OBJECT_TICKET, "update" if shown["digest"] else "create", shown["digest"], None)]
    if stored is None or (key is not None and key != stored):
        changes.append((OBJECT_KEY, "update" if stored else "create", stored, key))
    return changes


def _result(changes: list[tuple[str, str, Any, Any]], problems: list[str]) -> dict[str, Any]:
    return {"changed": bool(changes), "problems": problems,
            "changes": [{"object": name, "op": op, "before": before, "after": after} for name, op, before, after in changes]}
