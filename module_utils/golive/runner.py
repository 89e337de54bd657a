"""Runs the probes of one plan on the host that looks, and prints one line. Standard library only; leaves nothing behind.

Each probe has its own deadline; the whole run has one as well, so that nothing stays on a host whose controller is gone. The line
carries the plan's nonce, because a login shell may talk first.
"""
from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from typing import Any, Dict, List, Optional, Set

from .canonical import utc
from .errors import Undecided
from .probes.look import Look, Observed

TEXT_CAP, LIST_CAP, DEPTH_CAP = 4096, 1000, 6


class _Late(BaseException):
    """A deadline passed. Not an Exception: a probe that catches everything must not swallow it."""


def _ring(_signum: int, _frame: Any) -> None:
    raise _Late


def main(payload: Dict[str, Any]) -> None:
    """Run a plan and print `--golive <nonce> <json>`."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a probe prints is not an observation
    lines = observe_all(payload["plan"], payload["secrets"])
    out.write("\n--golive %s %s\n" % (payload["plan"]["nonce"], json.dumps(lines)))
    out.flush()


def observe_all(plan: Dict[str, Any], secrets: Dict[str, str]) -> List[Dict[str, Any]]:
    """Return one answer per entry of the plan, in its order; none is missing, whatever happens."""
    end = time.monotonic() + plan["deadline_s"]
    entries: List[Dict[str, Any]] = plan["probes"]
    answers: Dict[int, Dict[str, Any]] = {}
    signal.signal(signal.SIGALRM, _ring)
    waiting = _expected(plan)
    for number, entry in sorted(enumerate(entries), key=lambda one: one[1]["probe"] in waiting):
        left = end - time.monotonic()
        if left <= 0.05:
            answers[number] = _answer(entry, undecided="there was no time left on %s to look" % plan["host"])
        else:
            answers[number] = _observe(entry, plan, secrets, min(left, entry["deadline_s"]))
    return [answers[number] for number in range(len(entries))]


def _expected(plan: Dict[str, Any]) -> Set[str]:
    """Tell each probe all its questions before the first is asked; return the probes whose answers come by themselves meanwhile."""
    waiting = set()
    for name in sorted({entry["probe"] for entry in plan["probes"]}):
        try:
            module = importlib.import_module("golive.probes." + name)
            if hasattr(module, "expect"):
                module.expect([one["ask"] for one in plan["probes"] if one["probe"] == name], plan["host"])
        except Exception:  # noqa: BLE001, S112 (what is wrong with a probe, the answer to its question says)
            continue
        if getattr(module, "WAITS", False):
            waiting.add(name)
    return waiting


def _observe(entry: Dict[str, Any], plan: Dict[str, Any], secrets: Dict[str, str], seconds: float) -> Dict[str, Any]:
    started = time.monotonic()
    look = Look(plan["host"], entry["subject"], plan["rehearsal"], secrets, started + seconds, plan.get("context"))
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        module = importlib.import_module("golive.probes." + entry["probe"])
        result = module.observe(entry["ask"], look)
        signal.setitimer(signal.ITIMER_REAL, 0)
        observed = result if isinstance(result, Observed) else Observed(result)
        return _answer(entry, started, facts=_capped(observed.facts), witness=observed.witness, opportunities=observed.opportunities)
    except _Late:
        return _answer(entry, started, undecided="the probe did not finish within %g s" % entry["deadline_s"])
    except Undecided as exc:
        return _answer(entry, started, undecided=str(_capped(exc.reason)), until=exc.until)
    except Exception as exc:  # noqa: BLE001 (a probe that fails has observed nothing; its text could hold a secret)
        return _answer(entry, started, undecided="the probe failed: %s in %s" % (type(exc).__name__, _place(exc)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _place(exc: Exception) -> str:
    """Return where a probe failed (module and line, never the text of the line)."""
    step, place = exc.__traceback__, "golive"
    while step is not None:
        name = step.tb_frame.f_globals.get("__name__", "")
        if name.startswith("golive."):
            place = "%s:%d" % (name.rpartition(".")[2], step.tb_lineno)
        step = step.tb_next
    return place


def _answer(entry: Dict[str, Any], started: Optional[float] = None, facts: Optional[Dict[str, Any]] = None,
            witness: Optional[str] = None, opportunities: Optional[int] = None, undecided: Optional[str] = None,
            until: Optional[str] = None) -> Dict[str, Any]:
    took = 0 if started is None else round((time.monotonic() - started) * 1000)
    return {"id": entry["id"], "at": utc(), "took_ms": took, "facts": facts or {}, "witness": witness,
            "opportunities": opportunities, "undecided": undecided, "until": until}


def _capped(value: Any, depth: int = 0) -> Any:
    """Return a JSON value that cannot flood a report: long texts and lists are cut, deep trees and odd types become text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if len(value) <= TEXT_CAP else value[:TEXT_CAP]
    if depth >= DEPTH_CAP:
        return "(too deep)"
    if isinstance(value, dict):
        return {str(key)[:200]: _capped(one, depth + 1) for key, one in list(value.items())[:LIST_CAP]}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [_capped(one, depth + 1) for one in list(items)[:LIST_CAP]]
    return str(value)[:TEXT_CAP]


if __name__ == "__main__":
    main(json.load(sys.stdin))
