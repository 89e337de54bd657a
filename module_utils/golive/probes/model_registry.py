"""model_registry: which model is in force, whether log, pointer, gates and approvals hold, and what the running bot really loaded.

The stimuli (`scratch`) are given to a registry of their own in memory, with keys of their own; the real one is only read.
"""
from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from datetime import datetime
from typing import Any, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from ..canonical import digest as digest_of
from ..canonical import parse_utc
from ..errors import GoliveError, Undecided
from ..model_registry import manifest, names, psi, records, scratch, survey, window
from ..model_registry.errors import RegistryError
from ..model_registry.judgement import GATES
from ..model_registry.local_store import LocalStore
from ..model_registry.store import Store
from . import _units
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 90
ASK = {
    "base": "str; required; directory of all scopes",
    "scope": "str; required; such as crypto/kraken_global",
    "hash_models": "bool; optional; also read every byte of every approved model",
    "signed": "dict; optional; verify the approval of the model in force: {system, signers (text), people, issuers, approvers, role}",
    "heads": "list of str; optional; heads SEQ:sha256:HEX of the log that were carried away",
    "health_url": "str; optional; where the running bot shows `model.digest` in a JSON object",
    "unit": "str; optional; the live unit: which files of the registry its processes hold open or mapped",
    "live_features": "str; optional; JSON file of the bot with live histograms {feature: {edges, counts}}",
    "training_window": "str; optional; HH:MM-HH:MM in UTC, in which training has to run",
    "training_days": "int; optional; count only training that ended within so many days",
    "apart_from": "list of str; optional; roots of other systems: is any part of the registry inside of one, links followed?",
    "scratch": "dict; optional; {profile, bot_schema, approvers}: what is refused, asked of a scratch registry",
}
FACTS = {
    "approved": "bool; a model is in force",
    "digest": "str; of the model in force",
    "previous": "str; of the one before it",
    "pending": "bool; a move is in the log and not yet carried out",
    "approvals": "int; people who signed for the model in force",
    "approved_age_days": "float",
    "dataset": "str; digest of the data it was trained on",
    "code_commit": "str; commit of the code that trained it",
    "metric.*": "number; as measured by the gates",
    "gates_passed": "list of str; gates that passed in the validation that was signed",
    "gates_missing": "list of str; of the four, those without a pass",
    "evidence_attached": "bool; predictions and signed records lie beside that validation, as it names them",
    "chain_ok": "bool; every line of the log gives its hash and follows",
    "replay_ok": "bool; the history replays without a gap",
    "pointer_ok": "bool; the pointer is the one that the log puts there",
    "models_ok": "bool; every byte of every approved model is the approved one",
    "approvals_ok": "bool; the signatures over the model in force hold",
    "unlogged": "int; moves of the pointer without a line in the log",
    "forced": "int; promotions outside of the window",
    "log_lines": "int",
    "head": "str; SEQ:sha256:HEX of the log",
    "problems": "list of str; what does not hold",
    "loaded_digest": "str; what the running bot says it loaded",
    "loaded_equals_approved": "bool",
    "unit_running": "bool",
    "open_elsewhere": "list of str; files of the registry that the unit holds and that are not the approved model's",
    "holds_approved": "bool; the unit holds a file of the approved model",
    "psi.*": "float; population stability index of a feature, live against training",
    "psi_max": "float",
    "training_runs": "int; candidates in the registry, by when they were trained",
    "training_outside": "list of str; those trained outside of the window, in part or whole",
    "parts_missing": "list of str; parts of the registry that are no directory",
    "parts_linked": "list of str; parts of the registry that are reached over a link",
    "inside_foreign_root": "list of str; parts of the registry that lie in another system's root, by link or bind mount",
    "scratch.*": "what a scratch registry refused, each with its control",
}
_MAPS_CAP = 4 << 20
_DEEP = 3      # a registry's areas and the folders in them


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Return the facts of one registry. Raises Undecided where it cannot be read."""
    if ask.get("scratch"):
        wanted = ask["scratch"]
        found = scratch.ask(wanted["profile"], wanted["bot_schema"], int(wanted["approvers"]))
        return Observed(found, opportunities=found["scratch.bad_tried"])
    if ask.get("apart_from"):
        return _apart(str(ask["base"]), str(ask["scope"]), [str(one) for one in ask["apart_from"]])
    try:
        store = LocalStore(str(ask["base"]), str(ask["scope"]))
        store.check()
        facts = _state(store, look.now())
        facts.update(_verified(store, ask, look.now()))
        opportunities, witness = int(facts["log_lines"]), WITNESS
        facts.update(_gates(store, facts))
        if ask.get("health_url"):
            facts.update(_loaded(str(ask["health_url"]), facts, look))
        if ask.get("unit"):
            facts.update(_held(str(ask["unit"]), store, facts, look))
        if ask.get("live_features"):
            facts.update(_drift(store, facts, str(ask["live_features"])))
            witness = "bot"      # what it has seen is its own word
        if ask.get("training_window"):
            facts.update(_training(store, ask, look.now()))
            opportunities, witness = int(facts["training_runs"]), "bot"     # when it was trained is the trainer's word
    except GoliveError as exc:
        raise Undecided(str(exc)) from None
    return Observed(facts, witness, opportunities)


def _apart(base: str, scope: str, roots: List[str]) -> Observed:
    """Say of each part of the registry whether it is there, a directory of its own, and none that another system has as well."""
    root = os.path.join(base, *names.scope(scope).split("/"))
    parts = [root, *(os.path.join(root, area) for area in names.AREAS)]
    if not os.path.lexists(root):
        raise Undecided("there is no %s" % root)
    theirs = {place: path for other in roots for path, place in _places(other)}
    missing, linked, inside = [], [], []
    for path in parts:
        if not os.path.isdir(path):
            missing.append(path)
            continue
        real = os.path.realpath(path)
        if real != os.path.abspath(path):
            linked.append("%s -> %s" % (path, real))
        if any(_within(real, os.path.realpath(other)) for other in roots):
            inside.append("%s -> %s" % (path, real))
        elif _place(path) in theirs:      # a bind mount: no link, and yet the same directory
            inside.append("%s is %s" % (path, theirs[_place(path)]))
    facts = {"parts_missing": missing, "parts_linked": linked, "inside_foreign_root": inside}
    return Observed(facts, opportunities=len(parts))


def _places(root: str) -> Iterator[Tuple[str, Tuple[int, int]]]:
    """Yield the directories at and below a root with device and inode; of models and candidates only the folders."""
    for path, folders, _files in os.walk(root):
        with suppress(FileNotFoundError):      # pruned while we looked
            yield path, _place(path)
        if path.count("/") - root.rstrip("/").count("/") >= _DEEP:
            folders[:] = []


def _place(path: str) -> Tuple[int, int]:
    about = os.stat(path)
    return about.st_dev, about.st_ino


def _within(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _state(store: Store, now: datetime) -> Dict[str, Any]:
    data = store.pointer()
    if data is None:
        return {"approved": False}
    pointer = manifest.unique(data, names.POINTER)
    facts: Dict[str, Any] = {"approved": True, "digest": pointer["digest"], "previous": pointer["previous"],
                             "approvals": len(pointer["approvals"]), "dataset": pointer["lineage"]["dataset"],
                             "code_commit": pointer["lineage"]["code_commit"],
                             "approved_age_days": round((now - parse_utc(pointer["at"])).total_seconds() / 86400, 6)}
    facts.update(("metric." + name, value) for name, value in pointer["metrics"].items() if isinstance(value, (int, float)))
    facts["_validation"] = pointer["validation"]
    return facts


def _verified(store: Store, ask: Mapping[str, Any], now: datetime) -> Dict[str, Any]:
    from ..audit import parse_head  # noqa: PLC0415 (only where the log is verified)

    del now
    signed = ask.get("signed") or {}
    who = records.enrolled(signed["system"], bool(signed.get("rehearsal")), signed["signers"], signed["people"],
                           signed.get("issuers") or {}) if signed else None
    found = survey.verify(store, who, str(signed.get("role") or "approver"), int(signed.get("approvers") or 1),
                          [parse_head(one) for one in ask.get("heads") or []], contents=bool(ask.get("hash_models")))
    facts = {name: value for name, value in found.facts.items() if name in FACTS}
    for name, asked in (("models_ok", ask.get("hash_models")), ("approvals_ok", signed)):
        if not asked:
            facts.pop(name, None)      # not asked is not false
        elif not found.facts["chain_ok"]:
            facts[name] = None         # of a log that does not hold nothing more can be told
    return dict(facts, problems=found.problems[:50])


def _gates(store: Store, facts: Dict[str, Any]) -> Dict[str, Any]:
    validation = facts.pop("_validation", None)
    if validation is None:
        return {}
    folder = (names.VALIDATIONS, names.folder(facts["digest"]), names.folder(validation))
    try:
        data = store.read(*folder, names.RECORD)
    except RegistryError as exc:
        if exc.code != "missing":
            raise
        return {"gates_passed": [], "gates_missing": list(GATES), "evidence_attached": False}
    record = manifest.unique(data, names.RECORD)
    genuine = names.PREFIX + folder[2] == digest_of(data)
    passed = [one["gate"] for one in record.get("gates", []) if one.get("verdict") == "pass"] if genuine else []
    here = set(store.files(*folder, "evidence"))
    attached = bool(record.get("evidence")) and set(record["evidence"]) == here and all(
        _sha256(store, (*folder, "evidence", *name.split("/"))) == digest for name, digest in record["evidence"].items())
    return {"gates_passed": passed, "gates_missing": [one for one in GATES if one not in passed], "evidence_attached": attached}


def _sha256(store: Store, path: Tuple[str, ...]) -> str:
    from ..model_registry.seen import digest  # noqa: PLC0415

    with store.open(*path) as handle:
        return digest(handle)[1]


def _loaded(url: str, facts: Mapping[str, Any], look: Look) -> Dict[str, Any]:
    answer = look.get(url)
    try:
        digest = json.loads(answer.body)["model"]["digest"] if answer.status == 200 else None
    except (ValueError, KeyError, TypeError, RecursionError):
        digest = None
    if not isinstance(digest, str) or re.match(r"sha256:[0-9a-f]{64}\Z", digest) is None:
        raise Undecided("the running bot does not say which model it loaded")
    return {"loaded_digest": digest, "loaded_equals_approved": digest == facts.get("digest")}


def _held(unit: str, store: LocalStore, facts: Mapping[str, Any], look: Look) -> Dict[str, Any]:
    shown = _units.show(unit, look)
    pids = _family(shown.pid) if shown.running else []
    root = store.root + "/"
    paths: Set[str] = set()
    for pid in pids:
        paths |= _open_files(pid)
    mine = {path for path in paths if path.startswith(root)}
    digest = facts.get("digest")
    approved = root + "%s/%s/" % (names.MODELS, names.folder(digest)) if digest else None
    pointer = root + "%s/%s" % (names.MODELS, names.POINTER)
    held = {path for path in mine if approved is not None and path.startswith(approved)}
    return {"unit_running": bool(pids), "holds_approved": bool(held), "open_elsewhere": sorted(mine - held - {pointer})[:100]}


def _family(pid: int) -> List[int]:
    """Return a process and all that it started."""
    found: List[int] = []
    todo = [pid]
    while todo and len(found) < 1000:
        one = todo.pop()
        found.append(one)
        children = _units.read(one, "task/%d/children" % one)
        todo += [int(word) for word in (children or b"").split()]
    return found


def _open_files(pid: int) -> Set[str]:
    """Return the paths that a process holds open or mapped; a process that ended meanwhile holds nothing."""
    found: Set[str] = set()
    folder = "/proc/%d/fd" % pid
    try:
        for name in os.listdir(folder):
            found.add(_link("%s/%s" % (folder, name)))
        with open("/proc/%d/maps" % pid, encoding="utf-8", errors="replace") as handle:
            found |= {line.split(None, 5)[5].strip() for line in handle.read(_MAPS_CAP).splitlines() if line.count("/")}
    except (FileNotFoundError, ProcessLookupError):
        return found
    except PermissionError:
        raise Undecided("the files of process %d cannot be seen" % pid) from None
    return found


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _drift(store: Store, facts: Mapping[str, Any], path: str) -> Dict[str, Any]:
    if not facts.get("digest"):
        raise Undecided("no model is in force")
    folder = (names.MODELS, names.folder(facts["digest"]), "files")
    declared = manifest.declaration(store.read(*folder, names.DECLARATION))
    try:
        with open(path, "rb") as handle:
            live = manifest.unique(handle.read(manifest.DECLARATION_CAP), path)
    except OSError as exc:
        raise Undecided("%s cannot be read: %s" % (path, exc.strerror)) from None
    found = psi.of_features(declared.feature_shares, live)
    return {**{"psi." + name: value for name, value in found.items()}, "psi_max": max(found.values())}


def _training(store: Store, ask: Mapping[str, Any], now: datetime) -> Dict[str, Any]:
    start, end = window.parse(str(ask["training_window"]))
    days: Optional[int] = ask.get("training_days")
    runs, outside = 0, []  # type: int, List[str]
    for one in store.folders(names.CANDIDATES):
        training = manifest.declaration(store.read(names.CANDIDATES, one, "files", names.DECLARATION)).training
        began, ended = parse_utc(training["started"]), parse_utc(training["ended"])
        if days is not None and (now - ended).total_seconds() > days * 86400:
            continue
        runs += 1
        if not (window.is_open(began, start, end) and window.is_open(ended, start, end)) or (ended - began).total_seconds() > 86400:
            outside.append(names.PREFIX + one)
    return {"training_runs": runs, "training_outside": outside[:100]}
