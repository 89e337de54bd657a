"""The actions on a registry. Each looks and decides first; in a dry run it stops there, so that it predicts what the real one does.

Order of a promotion: copy and verify the model (a folder appears whole), write and sync the line in the log, move the pointer. A crash
leaves the old pointer or the new one; the next run, of whatever action that writes, ends what the log says was begun.
"""
from __future__ import annotations

import os
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .. import canonical
from ..errors import GoliveError
from . import gates, history, judgement, names, records, retention, seen, window
from .errors import RegistryError
from .integrity import Seen
from .judgement import Judgement
from .manifest import Declaration, File, declaration, encode, parse
from .store import HALF_LINE, Entry, Line, Store, entry

CLOCK_BACK = timedelta(seconds=60)
Change = Dict[str, Any]


class Settings(NamedTuple):
    """What a registry is run by. `profile` holds every threshold; `window` is the downtime in UTC, such as `03:00-05:00`."""

    system: str
    scope: str
    profile: Mapping[str, Any]
    bot_schema: Optional[Mapping[str, Any]]
    who: records.Enrolled
    people: int
    role: str
    window: str
    wait_s: float = 10.0


class Act(NamedTuple):
    """Who acts, in which run, whether only in thought, and what time it is."""

    actor: str
    run: str
    dry: bool
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)


class Candidate(NamedTuple):
    """A candidate or model of the registry, read and compared with its name."""

    digest: str
    folder: Tuple[str, ...]
    listed: List[File]
    declared: Declaration
    signatures: Dict[str, bytes]


class Outcome(NamedTuple):
    """What an action did or would do; `problems` say why it refused after having looked (a gate, an integrity check)."""

    changes: List[Change]
    problems: List[str]
    facts: Dict[str, Any]
    diff: Dict[str, Any]


def change(what: str, op: str, before: Optional[str], after: Optional[str]) -> Change:
    """Return one change in the form of all modules; before and after are digests."""
    return {"object": what, "op": op, "before": before, "after": after}


class Registry:
    """One registry: a store and the settings it is run by."""

    def __init__(self, store: Store, settings: Settings, act: Act) -> None:
        self.store, self.settings, self.act = store, settings, act
        self._repairs = 0
        store.check()

    # --- register, validate ---------------------------------------------------------------------------------------

    def register(self, source: str) -> Outcome:
        """Take a candidate in, by what it is. Raises RegistryError for what may not be kept at all."""
        files, signatures = seen.source(source, self.settings.profile)
        listed = [File(one.path, one.size, one.sha256) for one in files]
        declared_file = next((one for one in files if one.path == names.DECLARATION), None)
        if declared_file is None:
            raise RegistryError("is not there: a candidate declares what it is", code="missing",
                                where="%s/%s" % (source, names.DECLARATION))
        with declared_file.open() as handle:
            declared = declaration(handle.read(declared_file.size))
        manifest = encode(listed)
        digest = canonical.digest(manifest)
        path = (names.CANDIDATES, names.folder(digest))
        facts = {"candidate": digest, "name": declared.name, "files": len(files), "bytes": sum(one.size for one in files),
                 "lineage": lineage(declared)}
        with self._writing() as changes:
            if not self.store.has(*path):
                changes.append(change(self._object("candidate", digest), "create", None, digest))
                if not self.act.dry:
                    held = [one._replace(path="%s/%s" % (seen.FILES, one.path)) for one in files]
                    signed = [entry("%s.%s.sig" % (names.MANIFEST, who), data) for who, data in sorted(signatures.items())]
                    self.store.add([*held, *signed, entry(names.MANIFEST, manifest)], *path)
        return Outcome(changes, [], facts, {"before": {}, "after": facts} if len(changes) else {})

    def validate(self, candidate: str, evidence: str, source: Optional[str] = None) -> Outcome:
        """Judge a candidate by the four gates and keep the judgement with its evidence, whatever it says.

        A dry run may come before the candidate is registered: then it is judged where the trainer left it, at `source`.
        """
        store, subject = self.store, None
        if self.act.dry and source is not None and not store.has(names.CANDIDATES, names.folder(candidate)):
            store, subject = self._foretold(source, candidate)
        subject = subject or self.candidate(names.CANDIDATES, candidate)
        files, _signatures = seen.source(evidence, self.settings.profile)
        looked = seen.look(store, subject.folder, subject.listed, subject.declared, self.settings.profile)
        judged = self._judge(subject, looked, evidence, files)
        record = self._record(subject, judged, files)
        data = canonical.encode(record)
        validation = canonical.digest(data)
        path = (names.VALIDATIONS, names.folder(subject.digest), names.folder(validation))
        with self._writing() as changes:
            if not self.store.has(*path):
                changes.append(change(self._object("validation", validation), "create", None, record["verdict"]))
                if not self.act.dry:
                    held = [one._replace(path="evidence/%s" % one.path) for one in files]
                    self.store.add([*held, entry(names.RECORD, data)], *path)
        facts = {"candidate": subject.digest, "validation": validation, "verdict": record["verdict"],
                 "approval_subject": records.approval_subject(self.settings.scope, subject.digest, validation),
                 "gates": {one.gate: one.verdict for one in judged}, "metrics": gates.metrics(judged)}
        return Outcome(changes, told(judged), facts, {"before": {}, "after": facts} if changes else {})

    def _foretold(self, source: str, candidate: str) -> Tuple[Store, Candidate]:
        """Return a candidate as `register` would keep it, with the place to read it from."""
        files, signatures = seen.source(source, self.settings.profile)
        listed = [File(one.path, one.size, one.sha256) for one in files]
        if canonical.digest(encode(listed)) != names.PREFIX + names.folder(candidate):
            raise RegistryError("holds another candidate", code="missing", where=source, expected=names.short(candidate),
                                found=names.short(canonical.digest(encode(listed))))
        store = seen.Source(files)
        declared = declaration(store.read(seen.FILES, names.DECLARATION))
        return store, Candidate(names.PREFIX + names.folder(candidate), (), listed, declared, signatures)

    # --- approve, roll back ---------------------------------------------------------------------------------------

    def approve(self, candidate: str, validation: str, approvals: str, confirm: bool, force: Optional[str]) -> Outcome:
        """Put an approved candidate into force. Refuses without `confirm`, outside of the window (unless forced with a reason), without
        enough signatures over this candidate and this validation, or where a gate does not pass now.
        """
        subject = self.candidate(names.CANDIDATES, candidate)
        wanted = names.PREFIX + names.folder(validation)
        with self._writing() as changes:
            moved, current, present = self._present(changes)
            if present is not None and present["digest"] == subject.digest and present["validation"] == wanted:
                return Outcome(changes, [], self._facts(present), {})
            if not confirm:
                raise RegistryError("not confirmed: nothing is promoted by accident", code="usage", where="approve",
                                    todo="say confirm: true when this is meant")
            self._check_time(force, moved)
            approval = records.approval(self.settings.who, approvals, records.approval_subject(self.settings.scope, subject.digest, wanted),
                                        self.settings.role, self.settings.people, self.act.now())
            self._unused(subject.digest, approval)
            judged = self._copy_and_judge(subject, wanted, changes)
            pointer = self._pointer(subject, judged, wanted, approval.people, present)
            signatures = {who: one.decode("ascii") for who, one in approval.signatures.items()}
            detail = {"forced": force is not None, "reason": force,
                      "approval": {"text": approval.data.decode("utf-8"), "signatures": signatures}}
            facts = self._switch(history.PROMOTE, pointer, current, detail, changes)
        return Outcome(changes, [], facts, _diff(present, pointer))

    def rollback(self, reason: str, to: Optional[str] = None, away_from: Optional[str] = None) -> Outcome:
        """Put an earlier approved model back: `to` names it, or `away_from` the one that must go. At any hour; always with a reason."""
        if not reason or not reason.strip():
            raise RegistryError("a rollback needs a reason", code="usage", where="reason")
        if (to is None) == (away_from is None):
            raise RegistryError("name the model to go back to, or the one to leave", code="usage", where="rollback",
                                found="both" if to else "neither", expected="candidate or away_from")
        with self._writing() as changes:
            moved, current, present = self._present(changes, any_pointer=True)
            if present is None or moved is None:
                raise RegistryError("no model was ever approved", code="missing", where=self.store.where)
            tampered = current is not None and moved["detail"].get("_found") == "by hand"
            target = self._target(present, to, away_from)
            if target is None and not tampered:
                return Outcome(changes, [], self._facts(present), {})
            digest = target or present["digest"]
            line = history.of_model(self.store.newest_first(), digest)
            if line is None:
                raise RegistryError("was never approved", code="missing", where=names.short(digest), todo="see info for those that were")
            began = time.monotonic()
            problems = self._intact(digest)
            checked_s = time.monotonic() - began
            if problems:
                return Outcome([], problems, {"refused": digest}, {})
            pointer = dict(line["detail"]["pointer"], previous=present["digest"])
            facts = self._switch(history.ROLLBACK, pointer, current, {"reason": reason.strip(), "forced": False,
                                                                     "found_by_hand": tampered}, changes)
            facts["integrity_s"] = round(checked_s, 3)
        return Outcome(changes, [], facts, _diff(present, pointer))

    def prune(self, keep_candidates: int, keep_models: int) -> Outcome:
        """Take away the oldest candidates and models beyond what is to be kept; never what is in force, nor the one before it."""
        with self._writing() as changes:
            _moved, _current, present = self._present(changes)
            chosen = retention.choose(self.store, present, keep_candidates, keep_models)
            for kind, digests in (("model", chosen.models), ("candidate", chosen.candidates), ("validations", chosen.validations)):
                changes += [change(self._object(kind, one), "delete", one, None) for one in digests]
            if not self.act.dry:
                for area, digests in ((names.MODELS, chosen.models), (names.VALIDATIONS, chosen.validations),
                                      (names.CANDIDATES, chosen.candidates)):
                    for one in digests:
                        self.store.remove(area, names.folder(one))
                if chosen.models:     # afterwards: what the log calls gone must not be there to go back to
                    self.store.append(self.act.run, self.act.actor, history.PRUNE, self.settings.scope, {"models": chosen.models})
        return Outcome(changes, [], {"kept_models": chosen.kept_models, "kept_candidates": chosen.kept_candidates}, {})

    # --- what they share ------------------------------------------------------------------------------------------

    def candidate(self, area: str, digest: str) -> Candidate:
        """Return a candidate (or model) after comparing its manifest with its name. Raises RegistryError."""
        folder = (area, names.folder(digest))
        if not self.store.has(*folder):
            raise RegistryError("there is no such candidate" if area == names.CANDIDATES else "there is no such model", code="missing",
                                where="%s %s" % (self.settings.scope, names.short(digest)), todo="see info for those that are there")
        listed = parse(self.store.read(*folder, names.MANIFEST), digest)
        declared = declaration(self.store.read(*folder, seen.FILES, names.DECLARATION))
        prefix = names.MANIFEST + "."
        signatures = {one[len(prefix):-len(".sig")]: self.store.read(*folder, one) for one in self.store.files(*folder)
                      if one.startswith(prefix) and one.endswith(".sig")}
        return Candidate(names.PREFIX + folder[1], folder, listed, declared, signatures)

    @contextmanager
    def _writing(self) -> Iterator[List[Change]]:
        """Give the list of changes; before a real action the leftovers of an interrupted one are taken away, in a dry run foretold."""
        if self.act.dry:
            yield self._mending()
            return
        with self.store.exclusive(self.settings.wait_s):
            changes = self._mending()
            if changes:
                self.store.mend(self.act.run, self.act.actor)
            yield changes

    def _mending(self) -> List[Change]:
        found = self.store.leftovers()
        self._repairs = sum(one.endswith(HALF_LINE) for one in found)     # taking half a line away is written down as a line
        return [change("leftover:%s/%s" % (self.settings.scope, one), "delete", None, None) for one in found]

    def _present(self, changes: List[Change], any_pointer: bool = False) -> Tuple[Optional[Line], Optional[bytes], Optional[Line]]:
        """Return (newest move, bytes of the pointer, its content), after ending a move that the log began and the pointer did not see."""
        moved, found = history.newest_move(self.store.newest_first()), self.store.pointer()
        if moved is None and found is None:
            return None, None, None
        try:
            pending = history.pending(moved, found)
        except RegistryError:
            if not any_pointer or moved is None:
                raise
            marked: Line = dict(moved, detail=dict(moved["detail"], _found="by hand"))
            return marked, found, dict(moved["detail"]["pointer"])
        assert moved is not None
        if pending is not None:
            changes.append(change(self._object("pointer", None), "finish", moved["detail"]["before"], moved["detail"]["pointer"]["digest"]))
            if not self.act.dry:
                self.store.move(pending, found)
            found = pending
        return dict(moved), found, dict(moved["detail"]["pointer"])

    def _check_time(self, force: Optional[str], moved: Optional[Line]) -> None:
        now = self.act.now()
        start, end = window.parse(self.settings.window)
        if force is not None and not force.strip():
            raise RegistryError("forcing needs a reason", code="usage", where="force_reason")
        at = None if moved is None else moved["detail"]["pointer"]["at"]
        if at is not None and now + CLOCK_BACK < canonical.parse_utc(at) and force is None:
            raise RegistryError("the clock went backwards: the last promotion was at %s, now is %s" % (at, canonical.utc(now)),
                                code="clock", where=self.store.where, todo="set the clock right; nothing was promoted")
        if not window.is_open(now, start, end) and force is None:
            raise RegistryError("closed: models are promoted in the downtime window %s UTC, now is %s" % (
                self.settings.window, canonical.utc(now)), code="closed", where=self.settings.scope,
                todo="come back at %s, or force it with a reason" % canonical.utc(window.opens(now, start)))

    def _unused(self, digest: str, approval: records.Approval) -> None:
        """Refuse an approval that put this model into force before: after a rollback people have to decide anew."""
        if not self.store.has(names.MODELS, names.folder(digest)):
            return      # it never was in force, so the log need not be searched
        line = next((one for one in self.store.newest_first() if one["act"] == history.PROMOTE
                     and one["detail"]["pointer"]["digest"] == digest), None)
        if line is not None and line["detail"]["approval"]["text"].encode("utf-8") == approval.data:
            raise RegistryError("this approval was used before (line %d), and the model was taken out of force since" % line["seq"],
                                code="used", where=names.short(digest), todo="have the people who approve look again and sign anew")

    def _copy_and_judge(self, subject: Candidate, validation: str, changes: List[Change]) -> List[Judgement]:
        """Copy the model (verified while it is written), judge again, and compare with the validation that people signed."""
        path = (names.VALIDATIONS, names.folder(subject.digest), names.folder(validation))
        if not self.store.has(*path):
            raise RegistryError("there is no such validation of this candidate", code="missing", where=names.short(validation))
        target = (names.MODELS, names.folder(subject.digest))
        settings, present = self.settings, self.store.has(*target)
        looked: Sequence[Seen]
        if not present:
            changes.append(change(self._object("model", subject.digest), "create", None, subject.digest))
        if present or self.act.dry:
            looked = seen.look(self.store, target if present else subject.folder, subject.listed, subject.declared, settings.profile)
        else:
            looked = seen.looked_into(self.store, subject.folder, subject.listed, subject.declared, settings.profile)
        files = [Entry(one[len("evidence/"):], 0, self._digest(*path, one), _nothing) for one in self.store.files(*path)
                 if one.startswith("evidence/")]
        with self.store.local(*path, "evidence") as directory:
            judged = self._judge(subject, looked, directory, files)
        again = canonical.digest(canonical.encode(self._record(subject, judged, files)))
        if judgement.verdict(judged) != judgement.PASS:
            raise RegistryError("not promoted: %s" % "; ".join(told(judged)), code="gates", where=names.short(subject.digest))
        if again != validation:
            raise RegistryError("the gates say something else now than in the validation that was signed", code="gates",
                                where=names.short(subject.digest), found=again[:19], expected=validation[:19],
                                todo="validate again and have the new result signed: profile, schema, evidence or gates have changed")
        if not present and not self.act.dry:
            held = seen.entries(self.store, subject.folder, subject.listed)
            try:
                self.store.add([*held, entry(names.MANIFEST, encode(subject.listed))], *target)
            except RegistryError as exc:
                if exc.code != "changed":
                    raise
                raise RegistryError("not promoted: INTEGRITY fail: %s" % exc, code="gates", where=names.short(subject.digest)) from None
        return judged

    def _digest(self, *path: str) -> str:
        with self.store.open(*path[:-1], *path[-1].split("/")) as handle:
            return seen.digest(handle)[1]

    def _judge(self, subject: Candidate, looked: Sequence[Seen], evidence: str, files: Sequence[Entry]) -> List[Judgement]:
        predictions = next((one for one in files if one.path == names.PREDICTIONS), None)
        place = os.path.join(evidence, names.PREDICTIONS)
        found = gates.Evidence(evidence, None if predictions is None else lambda: open(place, "rb"),  # noqa: SIM115 (closed by who asks)
                               None if predictions is None else predictions.sha256)
        about = gates.Subject(subject.digest, subject.listed, looked, subject.declared, subject.signatures)
        return gates.judge(about, found, self.settings.profile, self.settings.bot_schema, self.settings.who, self.act.now())

    def _record(self, subject: Candidate, judged: Sequence[Judgement], files: Sequence[Entry]) -> Dict[str, Any]:
        return gates.record(self.settings.scope, subject.digest, judged, self.settings.profile, self.settings.bot_schema,
                            {one.path: one.sha256 for one in files})

    def _pointer(self, subject: Candidate, judged: Sequence[Judgement], validation: str, people: Sequence[Mapping[str, str]],
                 present: Optional[Line]) -> Line:
        held = [dict(one._asdict(), path="%s/%s/%s" % (names.folder(subject.digest), seen.FILES, one.path)) for one in subject.listed
                if one.path in subject.declared.files]
        return {"format": 1, "scope": self.settings.scope, "digest": subject.digest, "files": held,
                "size": sum(one["size"] for one in held), "model_format": subject.declared.format,
                "schema": dict(subject.declared.schema), "metrics": gates.metrics(judged), "lineage": lineage(subject.declared),
                "approvals": [dict(one) for one in people], "validation": validation,
                "previous": None if present is None else present["digest"], "seq": 0, "at": ""}

    def _switch(self, act: str, pointer: Line, current: Optional[bytes], detail: Line, changes: List[Change]) -> Dict[str, Any]:
        """Write the log, then the pointer. Everything slow was done before."""
        began = time.monotonic()
        seq = self.store.head() + (self._repairs if self.act.dry else 0)
        pointer = dict(pointer, seq=seq + 1, at=canonical.utc(self.act.now()))
        data = history.encode(pointer)
        before = None if current is None else canonical.digest(current)
        changes.append(change(self._object("log", None), "update", str(seq), str(seq + 1)))
        changes.append(change(self._object("pointer", None), "create" if current is None else "update", pointer["previous"],
                              pointer["digest"]))
        if not self.act.dry:
            self.store.append(self.act.run, self.act.actor, act, self.settings.scope, dict(detail, before=before, pointer=pointer))
            self.store.move(data, current)
        return dict(self._facts(pointer), switch_ms=round((time.monotonic() - began) * 1000, 3))

    def _target(self, present: Line, to: Optional[str], away_from: Optional[str]) -> Optional[str]:
        """Return the digest to go back to; None where that is so already."""
        if to is not None:
            digest = names.PREFIX + names.folder(to)
            return None if digest == present["digest"] else digest
        if names.PREFIX + names.folder(away_from) != present["digest"]:
            return None
        earlier = next((one for one in history.distinct_models(self.store.newest_first())
                        if one != present["digest"] and self.store.has(names.MODELS, names.folder(one))), None)
        if earlier is None:
            raise RegistryError("there is no earlier approved model to go back to", code="missing", where=self.settings.scope)
        return earlier

    def _intact(self, digest: str) -> List[str]:
        """Return why an approved model is not, byte for byte, what was approved."""
        folder = (names.MODELS, names.folder(digest))
        if not self.store.has(*folder):
            raise RegistryError("was approved and is not here any more (retention)", code="pruned", where=names.short(digest))
        try:
            subject = self.candidate(names.MODELS, digest)
            looked = {one.path: one for one in seen.look(self.store, folder, subject.listed, subject.declared, self.settings.profile)}
        except RegistryError as exc:
            return ["INTEGRITY: %s" % exc]
        problems = ["INTEGRITY: %s is not the file that was approved" % one.path for one in subject.listed
                    if one.path not in looked or (looked[one.path].size, looked[one.path].sha256) != (one.size, one.sha256)]
        surplus = sorted(set(looked) - {one.path for one in subject.listed})
        return problems + ["INTEGRITY: %s is there and was not approved" % one for one in surplus]

    def _facts(self, pointer: Mapping[str, Any]) -> Dict[str, Any]:
        return {name: pointer[name] for name in ("digest", "previous", "validation", "size", "metrics", "lineage", "approvals")}

    def _object(self, kind: str, digest: Optional[str]) -> str:
        return "%s:%s%s" % (kind, self.settings.scope, "" if digest is None else "/" + names.short(digest))


def told(judged: Sequence[Judgement]) -> List[str]:
    """Return what stands against a candidate, one sentence a gate and reason."""
    return ["%s %s: %s" % (one.gate, one.verdict, problem) for one in judged for problem in one.problems]


def lineage(declared: Declaration) -> Dict[str, Any]:
    """Return where a model comes from: dataset, code, times."""
    return {name: declared.training[name] for name in ("dataset", "code_commit", "from", "until", "started", "ended")}


def _diff(before: Optional[Mapping[str, Any]], after: Mapping[str, Any]) -> Dict[str, Any]:
    """Return digests and metrics of both, for --diff."""
    def short(one: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
        return {} if one is None else {name: one[name] for name in ("digest", "validation", "metrics")}
    return {"before": short(before), "after": short(after)}


def _nothing() -> Any:
    raise GoliveError("is not to be opened")
