"""What is in a registry, and does all of it hold? Reads only, without a lock: the pointer changes in one step and the log only grows."""
from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional

from .. import audit, canonical, signing, ticket
from ..audit import AuditError, Head
from ..errors import GoliveError
from . import history, manifest, names, seen
from .errors import RegistryError
from .records import Enrolled
from .store import Store


class Verified(NamedTuple):
    """What `verify` found: facts, and one sentence for each thing that does not hold."""

    facts: Dict[str, Any]
    problems: List[str]


def info(store: Store, last: int = 10) -> Dict[str, Any]:
    """Return the pointer, the newest moves and what is there. Its cost does not grow with the log."""
    found = store.pointer()
    moves: List[Dict[str, Any]] = []
    newest: Optional[Mapping[str, Any]] = None
    lines = 0
    for number, line in enumerate(store.newest_first()):
        if number == 0:
            lines = int(line["seq"])
        if line["act"] in history.MOVES:
            newest = newest or line
            moves.append({"seq": line["seq"], "at": line["detail"]["pointer"]["at"], "act": line["act"], "actor": line["actor"],
                          "digest": line["detail"]["pointer"]["digest"], "previous": line["detail"]["pointer"]["previous"],
                          "reason": line["detail"].get("reason"), "forced": bool(line["detail"].get("forced"))})
        if len(moves) >= last or number > 10 * last:
            break
    facts: Dict[str, Any] = {"where": store.where, "approved": None, "pending": False, "log_lines": lines, "moves": moves,
                             "candidates": len(store.folders(names.CANDIDATES)), "models": len(store.folders(names.MODELS)),
                             "leftovers": store.leftovers()}
    facts["pending"] = history.pending(newest, found) is not None
    if found is not None:
        content = manifest.unique(found, names.POINTER)
        facts["approved"] = {name: content.get(name) for name in ("digest", "previous", "validation", "size", "metrics", "lineage",
                                                                  "approvals", "seq", "at")}
    return facts


def verify(store: Store, who: Optional[Enrolled], role: str, people: int, heads: Iterable[Head] = (), every_signature: bool = False,
           contents: bool = True) -> Verified:
    """Check log, history, pointer, approvals and every byte of every model. `heads` were carried away earlier and must lie on the log.

    Signatures are verified as of the moment of the approval: of the model in force, or of all of them with `every_signature`.
    """
    problems: List[str] = []
    facts: Dict[str, Any] = {"chain_ok": False, "replay_ok": False, "pointer_ok": False, "models_ok": False, "log_lines": 0,
                             "unlogged": 0, "forced": 0, "approvals_ok": False}
    try:
        chain = store.chain()
        _carried(chain, heads)
        facts.update(chain_ok=True, log_lines=len(chain.lines), head=str(chain.head))
    except AuditError as exc:
        return Verified(facts, ["LOG: %s" % exc])
    try:
        replayed = history.replay(chain.lines)
    except (GoliveError, KeyError, TypeError) as exc:
        return Verified(facts, ["HISTORY: a line does not have its form: %s" % exc])
    problems += ["HISTORY: " + one for one in replayed.problems]
    found = store.pointer()
    newest = history.newest_move(reversed(chain.lines))
    facts.update(replay_ok=not replayed.problems, moves=len(replayed.steps), forced=sum(one.forced for one in replayed.steps))
    try:
        facts["pending"] = history.pending(newest, found) is not None
        facts["pointer_ok"] = True
        if facts["pending"]:
            problems.append("POINTER: line %d of the log is not carried out yet: run any action that writes" % (newest or {})["seq"])
            facts["pointer_ok"] = False
    except RegistryError as exc:
        problems.append("POINTER: %s" % exc)
        facts["unlogged"] = 1
    problems += ["LEFTOVER: %s" % one for one in store.leftovers()]
    if contents:
        wrong = _models(store, replayed)
        facts["models_ok"], facts["models"] = not wrong, len(store.folders(names.MODELS))
        problems += wrong
    if who is not None:
        promotions = [line for line in chain.lines if line["act"] == history.PROMOTE]
        chosen = promotions if every_signature else _in_force(promotions, replayed)
        wrong = [one for line in chosen for one in _approval(line, who, role, people)]
        facts["approvals_ok"], facts["approvals_checked"] = not wrong, len(chosen)
        problems += wrong
    return Verified(facts, problems)


def _carried(chain: audit.Chain, heads: Iterable[Head]) -> None:
    data = b"".join(canonical.encode(line) + b"\n" for line in chain.lines)
    wanted = list(heads)
    if wanted:
        audit.check(data, wanted, names.LOG)


def _in_force(promotions: List[Dict[str, Any]], replayed: history.Replayed) -> List[Dict[str, Any]]:
    if not replayed.steps:
        return []
    return [line for line in promotions if line["detail"]["pointer"]["digest"] == replayed.steps[-1].digest][-1:]


def _models(store: Store, replayed: history.Replayed) -> List[str]:
    problems = []
    here = {names.PREFIX + one for one in store.folders(names.MODELS)}
    problems += ["MODELS: %s is there and was never approved" % names.short(one) for one in sorted(here - set(replayed.approved))
                 if not _about_to_be(store, one)]
    if replayed.steps and replayed.steps[-1].digest not in here:
        problems.append("MODELS: the model in force, %s, is not there" % names.short(replayed.steps[-1].digest))
    for one in sorted(here):
        problems += _model(store, one)
    return problems


def _about_to_be(store: Store, digest: str) -> bool:
    """A model may lie there whole before its line is in the log: a promotion that ended between the two, to be repeated or pruned."""
    return store.has(names.CANDIDATES, names.folder(digest))


def _model(store: Store, digest: str) -> List[str]:
    folder = (names.MODELS, names.folder(digest))
    name = names.short(digest)
    try:
        listed = manifest.parse(store.read(*folder, names.MANIFEST), digest)
        there = set(store.files(*folder, seen.FILES))
        problems = ["MODELS: %s holds %s, which was not approved" % (name, one) for one in sorted(there - {one.path for one in listed})]
        for one in listed:
            with store.open(*folder, seen.FILES, *one.path.split("/")) as handle:
                if seen.digest(handle) != (one.size, one.sha256):
                    problems.append("MODELS: %s: %s is not the file that was approved" % (name, one.path))
    except RegistryError as exc:
        return ["MODELS: %s" % exc]
    return problems


def _approval(line: Mapping[str, Any], who: Enrolled, role: str, people: int) -> List[str]:
    from .records import approval_subject  # noqa: PLC0415

    detail = line["detail"]
    pointer, approval = detail["pointer"], detail.get("approval") or {}
    try:
        text = str(approval["text"]).encode("utf-8")
        signatures = {name: str(one).encode("ascii") for name, one in approval["signatures"].items()}
        at: datetime = canonical.parse_utc(pointer["at"])
        known = ticket.parse_signers(who.signers, who.people.rehearsal)
        signed = ticket.verify_people(text, signatures, signing.ATTEST, known, who.people.all(), at, "the approval", who.people.rehearsal)
        subject = manifest.unique(text, "the approval")["subject"]
    except (ticket.Refused, GoliveError, KeyError, TypeError, ValueError, AttributeError) as exc:
        return ["APPROVAL: line %d: %s" % (line["seq"], exc)]
    counted = signing.distinct([one for one in signed if role in one.roles])
    if subject != approval_subject(str(pointer["scope"]), pointer["digest"], pointer["validation"]):
        return ["APPROVAL: line %d: what was signed is another candidate or validation" % line["seq"]]
    return [] if counted >= people else ["APPROVAL: line %d: signed by %d of %d people" % (line["seq"], counted, people)]
