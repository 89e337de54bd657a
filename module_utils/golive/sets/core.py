"""How a set is carried out: look, decide (pure), act once, look again. The same for packages, accounts, files and units."""
from __future__ import annotations

import errno
from typing import Any, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional

from ..errors import GoliveError


class Change(NamedTuple):
    """One difference between what is and what is wanted: `file:/etc/x`, `create`, and short facts, never contents."""

    object: str
    op: str
    before: Optional[str] = None
    after: Optional[str] = None


class Decision(NamedTuple):
    """What has to change, in the order of acting, and what stands in the way (one sentence each)."""

    changes: List[Change]
    problems: List[str]


class WantedSet:
    """A set of objects on this host."""

    def current(self) -> Any:
        """Return what is there now, as plain data. Reads only."""
        raise NotImplementedError

    def decide(self, current: Any) -> Decision:
        """Return the difference to what is wanted. Pure: depends on `current` and the wanted data alone."""
        raise NotImplementedError

    def act(self, decision: Decision) -> Iterator[Change]:
        """Make the changes in order and yield each one that is done. Safe to repeat after a crash at any instruction."""
        raise NotImplementedError

    def needs(self, decision: Decision) -> List[str]:
        """Return what the controller has to deliver before `act` can be called; then nothing is done yet."""
        del decision
        return []


def carry_out(wanted: WantedSet, dry: bool, drift: bool = False) -> Dict[str, Any]:
    """Return `{changed, changes, problems}`; on failure also `failed` and `msg`, with the changes that were made before it.

    `dry` predicts only. `drift` says that the whole run was opened as drift: then a call that is not dry is refused (M11).
    After acting the host is looked at again: what still differs is a failure, so that "changed" means "is so now".
    """
    done: List[Change] = []
    try:
        if drift and not dry:
            raise GoliveError("this run was opened as drift and must change nothing, but the task was not given check mode",
                              todo="set check_mode on the play as the other building plays do")
        decision = _decide(wanted)
        if decision.problems:  # nothing is done; drift still tells what else differs
            return _result(decision.changes if drift else [], decision.problems, "; ".join(decision.problems))
        if dry or not decision.changes:
            return _result(decision.changes, [])
        needed = wanted.needs(decision)
        if needed:
            return dict(_result([], []), needs=needed)
        for change in wanted.act(decision):
            done.append(change)
        left = _decide(wanted)
    except (GoliveError, OSError) as exc:
        return _result(done, [], sentence(exc))
    still = ["%s (%s)" % (change.object, change.op) for change in left.changes[:5]]
    failure = "; ".join(left.problems) if left.problems else None
    if still and not failure:
        failure = "after acting, the host still differs: %s; look at the host's own log" % ", ".join(still)
    return _result(done, left.problems, failure)


def perform(build: Callable[[], WantedSet], given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Return the result of a task: what `carry_out` returns, and one sentence where the set itself cannot be made of what was given."""
    try:
        return carry_out(build(), dry, bool(given["golive_drift"]))
    except (GoliveError, OSError) as exc:
        return _result([], [], sentence(exc))


def leave(module: Any, result: Dict[str, Any]) -> None:
    """End an AnsibleModule with a result, by exit_json or fail_json."""
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


def sentence(exc: Exception) -> str:
    """Return one sentence for an error of ours or of the operating system (which knows path and cause, no contents)."""
    if isinstance(exc, OSError):
        full = exc.errno in (errno.ENOSPC, errno.EDQUOT)
        return str(GoliveError("the operating system refused", where=exc.filename, found=exc.strerror or type(exc).__name__,
                               todo="free space there and run again; what was there before is whole" if full else None))
    return str(exc)


def _decide(wanted: WantedSet) -> Decision:
    return wanted.decide(wanted.current())


def _result(changes: List[Change], problems: List[str], failure: Optional[str] = None) -> Dict[str, Any]:
    result: Dict[str, Any] = {"changed": bool(changes), "changes": [dict(change._asdict()) for change in changes],
                              "problems": list(problems)}
    if failure is not None:
        result.update(failed=True, msg=failure)
    return result
