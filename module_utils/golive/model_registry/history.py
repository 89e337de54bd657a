"""What the log says was approved: the present pointer follows from it, and every earlier one as well. Pure."""
from __future__ import annotations

from typing import Any, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional

from .. import canonical
from .errors import RegistryError

PROMOTE, ROLLBACK, PRUNE = "model.promote", "model.rollback", "model.prune"
MOVES = (PROMOTE, ROLLBACK)
FIELDS = {"format", "scope", "digest", "files", "size", "model_format", "schema", "metrics", "lineage", "approvals", "validation",
          "previous", "seq", "at"}
Pointer = Dict[str, Any]


def encode(pointer: Mapping[str, Any]) -> bytes:
    """Return the bytes of `approved_model.json`."""
    if set(pointer) != FIELDS:
        raise RegistryError("the pointer does not have its fields", code="pointer", found=", ".join(sorted(pointer)))
    return canonical.encode(pointer) + b"\n"


def newest_move(lines: Iterable[Mapping[str, Any]]) -> Optional[Mapping[str, Any]]:
    """Return the newest line that moved the pointer, of lines that come newest first."""
    return next((line for line in lines if line["act"] in MOVES), None)


def pending(move: Optional[Mapping[str, Any]], found: Optional[bytes]) -> Optional[bytes]:
    """Return the bytes that the pointer must still get, because a run ended between log and pointer; None: all is as logged.

    Raises RegistryError `pointer` where the pointer is neither what the log says nor what it said before: somebody moved it by hand.
    """
    if move is None:
        if found is not None:
            raise _by_hand("there is a pointer and no line in the log that put it there")
        return None
    wanted = encode(move["detail"]["pointer"])
    if found == wanted:
        return None
    before = None if found is None else canonical.digest(found)
    if before == move["detail"]["before"]:
        return wanted
    raise _by_hand("the pointer is not the one that line %d of the log put there" % move["seq"])


def _by_hand(what: str) -> RegistryError:
    return RegistryError(what, code="pointer", todo="it was moved by hand or is damaged: find out by whom, then roll back to an approved "
                         "model, which writes it anew")


class Step(NamedTuple):
    """One move of the pointer in the history."""

    seq: int
    at: str
    act: str
    actor: str
    digest: str
    previous: Optional[str]
    reason: Optional[str]
    forced: bool


class Replayed(NamedTuple):
    """The history: every step, what the pointer must be now, which models may be rolled back to, and what does not follow."""

    steps: List[Step]
    pointer: Optional[bytes]
    approved: List[str]
    problems: List[str]


def replay(lines: Iterable[Mapping[str, Any]]) -> Replayed:
    """Replay a whole log, oldest first, to the present pointer. What does not follow from what was before is a problem."""
    steps: List[Step] = []
    problems: List[str] = []
    approved: List[str] = []
    pointer: Optional[bytes] = None
    for line in lines:
        if line["act"] == PRUNE:
            approved = [one for one in approved if one not in line["detail"].get("models", [])]
        if line["act"] not in MOVES:
            continue
        detail = line["detail"]
        content = detail["pointer"]
        was = None if pointer is None else canonical.digest(pointer)
        if detail["before"] != was and detail.get("found_by_hand") is not True:
            problems.append("line %d starts from a pointer that was not there" % line["seq"])
        if content["seq"] != line["seq"] or content["previous"] != (steps[-1].digest if steps else None):
            problems.append("line %d puts a pointer there that does not follow" % line["seq"])
        if line["act"] == ROLLBACK and content["digest"] not in approved:
            problems.append("line %d rolls back to a model that was not approved" % line["seq"])
        if line["act"] == PROMOTE and not detail.get("approval"):
            problems.append("line %d promotes without an approval" % line["seq"])
        if content["digest"] not in approved:
            approved.append(content["digest"])
        pointer = encode(content)
        steps.append(Step(line["seq"], line["at"], line["act"], line["actor"], content["digest"], content["previous"],
                          detail.get("reason"), bool(detail.get("forced"))))
    return Replayed(steps, pointer, approved, problems)


def of_model(lines: Iterable[Mapping[str, Any]], digest: str) -> Optional[Mapping[str, Any]]:
    """Return the newest line that put a model into force, of lines newest first; None where it never was."""
    return next((line for line in lines if line["act"] in MOVES and line["detail"]["pointer"]["digest"] == digest), None)


def distinct_models(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the models that were in force, newest first, each once."""
    seen = set()
    for line in lines:
        if line["act"] in MOVES and line["detail"]["pointer"]["digest"] not in seen:
            seen.add(line["detail"]["pointer"]["digest"])
            yield line["detail"]["pointer"]["digest"]
