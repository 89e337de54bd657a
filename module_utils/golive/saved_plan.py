"""A saved plan: what a dry run predicted, and the code it rests on; the real run that is given it does this or nothing. Controller only.

`--check -e golive_plan=FILE` writes it when the dry run came to its end. A real run with `-e golive_plan=FILE` refuses when code or
inventory is another one, then predicts anew, and refuses when that is not the saved prediction; while it runs, a set module that would
change anything else refuses before it acts.
"""
from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import session
from .canonical import digest, utc
from .errors import GoliveError
from .rundir import RunDir, write_atomic

VARIABLE = "golive_plan"
#: the copy of the plan in the directory of the run that carries it out
COPY = "saved_plan.json"
AGAIN = "make a new plan (--check -e golive_plan=FILE) and read it"
FORMAT = 1
SHOWN = 12
Change = Mapping[str, Any]


def files(inventory: Path) -> dict[str, str]:
    """Return path -> digest of every file that decides what a run does: golive's own and those of the inventory.

    What the lab and runs make beside the inventory (keys, known hosts) is none of it; what of that matters shows in the prediction.
    """
    found = session.code_files()
    file = inventory.resolve()
    # Beside the inventory and beside golive.yml: Ansible reads variables at both places.
    folders = [base / name for base in (file.parent, session.ROOT) for name in ("group_vars", "host_vars")]
    for path in (file, *(one for folder in folders for one in _below(folder))):
        found[os.path.relpath(path, session.ROOT)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _below(folder: Path) -> list[Path]:
    """Return the files below a folder, also of linked ones: Ansible reads them all."""
    return sorted(path for place, _, names in os.walk(folder, followlinks=True) for name in names if (path := Path(place, name)).is_file())


def plain(change: Change) -> dict[str, Any]:
    """Return what a plan keeps of a change."""
    return {key: change.get(key) for key in ("host", "object", "op", "before", "after")}


def build(*, system: str, run: str, playbook: str, inventory: Path, extra: Mapping[str, Any], changes: Iterable[Change]) -> dict[str, Any]:
    """Return a plan. Of other extra variables it keeps the names and one digest."""
    body = {"format": FORMAT, "system": system, "run": run, "at": utc(), "playbook": playbook,
            "inventory": os.path.relpath(inventory.resolve(), session.ROOT), "extra_vars": sorted(_others(extra)),
            "extra_vars_digest": digest(_others(extra)), "files": files(inventory), "changes": [plain(one) for one in changes]}
    return {**body, "digest": digest(body)}


def _others(extra: Mapping[str, Any]) -> dict[str, str]:
    return {name: repr(value) for name, value in extra.items() if name != VARIABLE}


def write(path: Path, plan: Mapping[str, Any]) -> None:
    """Write a plan for its owner only. Raises GoliveError."""
    write_atomic(path, (json.dumps(plan, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8"), 0o600)


def may_write(path: Path) -> None:
    """Refuse a place where something else than a plan lies, before a dry run of minutes is made for it. Raises GoliveError."""
    if not path.parent.is_dir():
        raise GoliveError("the folder of the plan is not there", where=str(path), todo=f"make it, or name another file with {VARIABLE}")
    if os.path.lexists(path):
        load(path)


def load(path: Path) -> dict[str, Any]:
    """Return the plan in a file. Raises GoliveError for one that is not there, not a plan, or was edited."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise GoliveError("is no regular file", where=str(path), expected="a saved plan")
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise GoliveError("there is no such plan", where=str(path), todo="write it with --check -e golive_plan=FILE") from None
    except (OSError, ValueError) as exc:
        raise GoliveError("is no saved plan", where=str(path), found=getattr(exc, "strerror", None) or "no JSON",
                          expected="the file that --check -e golive_plan=FILE wrote") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise GoliveError("is no saved plan", where=str(path), expected="the file that --check -e golive_plan=FILE wrote")
    if found.get("digest") != digest({key: value for key, value in found.items() if key != "digest"}):
        raise GoliveError("the plan was changed after it was written", where=str(path), todo=AGAIN)
    return found


def moved_on(plan: Mapping[str, Any], *, playbook: str, inventory: Path, extra: Mapping[str, Any]) -> list[str]:
    """Return in words what of playbook, inventory, variables and code is not as it was when the plan was made."""
    words = []
    for what, was, now in (("playbook", plan["playbook"], playbook),
                           ("inventory", plan["inventory"], os.path.relpath(inventory.resolve(), session.ROOT))):
        if was != now:
            words.append(f"{what} {now}, the plan is for {was}")
    if plan["extra_vars_digest"] != digest(_others(extra)):
        words.append(f"extra variables ({', '.join(sorted(_others(extra))) or 'none'}), the plan was made with others "
                     f"({', '.join(plan['extra_vars']) or 'none'})")
    before, after = plan["files"], files(inventory)
    words += [f"{name} was changed" for name in sorted(set(before) & set(after)) if before[name] != after[name]]
    words += [f"{name} is new" for name in sorted(set(after) - set(before))]
    return words + [f"{name} is gone" for name in sorted(set(before) - set(after))]


def done_with(plan: Mapping[str, Any], reports: Path) -> list[dict[str, Any]]:
    """Return the changes that earlier runs made while they carried out this plan: a run that was broken off goes on."""
    found: list[dict[str, Any]] = []
    for folder in sorted(path for path in reports.iterdir() if path.is_dir() and not path.is_symlink()):
        run = RunDir(folder)
        copy = run.read(COPY)
        if isinstance(copy, dict) and copy.get("digest") == plan["digest"]:
            found += [one for one in run.lines("changes.jsonl") if not one.get("check")]
    return found


def differences(plan: Mapping[str, Any], now: Iterable[Change], done: Iterable[Change] = ()) -> list[str]:
    """Return in words how what would be changed now is not what the plan says; `done` was changed by an earlier run with it."""
    gone = {_name(one) for one in done}
    planned = {_name(one): plain(one) for one in plan["changes"]}
    wanted = {_name(one): plain(one) for one in now}
    words = [f"{_told(one)} is not in the plan" for name, one in wanted.items() if name not in planned]
    words += [f"{_told(one)} is planned and no longer needed" for name, one in planned.items() if name not in wanted and name not in gone]
    words += [f"{_told(wanted[name])}, the plan says {_facts(one)}" for name, one in planned.items()
              if name in wanted and _facts(one) != _facts(wanted[name]) and not gone]
    return words


def unplanned(plan: Mapping[str, Any], host: str, changes: Iterable[Change]) -> list[str]:
    """Return in words which of a host's changes the plan does not hold."""
    planned = {_name(one) for one in plan["changes"]}
    return [_told({**one, "host": host}) for one in changes if _name({**one, "host": host}) not in planned]


def refuse(what: str, words: Sequence[str], path: str) -> GoliveError:
    """Return the one sentence that refuses, with the first of the reasons."""
    more = f", and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return GoliveError(what, where=path, found="; ".join(words[:SHOWN]) + more, todo=AGAIN)


def _name(change: Change) -> tuple[str, str, str]:
    return str(change.get("host")), str(change.get("object")), str(change.get("op"))


def _facts(change: Change) -> str:
    return f"{change.get('before') or 'nothing'} -> {change.get('after') or 'nothing'}"


def _told(change: Change) -> str:
    return f"{change.get('op')} {change.get('object')} on {change.get('host')} ({_facts(change)})"


def of_run(run: RunDir) -> dict[str, Any] | None:
    """Return the plan that a run carries out, or None. Raises GoliveError for a copy that is damaged."""
    found = run.read(COPY)
    if found is not None and not isinstance(found, dict):
        raise GoliveError("is damaged", where=f"{run.run}/{COPY}", found=type(found).__name__, todo=AGAIN)
    return found
