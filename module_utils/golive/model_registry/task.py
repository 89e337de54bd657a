"""What the module model_promotion does with its parameters: builds the registry, runs one action, gives the module's result."""
from __future__ import annotations

import getpass
import json
import os
import tempfile
from contextlib import contextmanager
from typing import Any, Dict, Iterator, List, Mapping, Optional

from .. import audit
from ..errors import GoliveError, Undecided
from ..sets.core import sentence
from . import names, records, survey
from .errors import RegistryError
from .registry import Act, Outcome, Registry, Settings
from .store import Store

ACTIONS = ("register", "validate", "approve", "rollback", "info", "verify", "prune")
NEEDS = {"register": ("source",), "validate": ("candidate", "evidence"), "approve": ("candidate", "validation"),
         "rollback": ("reason",), "info": (), "verify": (), "prune": ()}

SPEC: Dict[str, Dict[str, Any]] = {
    "action": {"type": "str", "required": True, "choices": list(ACTIONS)},
    "store": {"type": "dict", "required": True, "options": {
        "path": {"type": "path"}, "bucket": {"type": "str"}, "prefix": {"type": "str", "default": ""}, "endpoint": {"type": "str"},
        "region": {"type": "str"}, "lock_days": {"type": "int", "default": 0}, "ca_file": {"type": "path"}},
        "mutually_exclusive": [("path", "bucket")], "required_one_of": [("path", "bucket")]},
    "scope": {"type": "str", "required": True},
    "system": {"type": "str", "required": True},
    "rehearsal": {"type": "bool", "default": False},
    "profile": {"type": "dict", "default": {}},
    "bot_schema": {"type": "dict"},
    "signers": {"type": "str", "default": "", "no_log": False},
    "people": {"type": "dict", "default": {}},
    "issuers": {"type": "dict", "default": {}},
    "approvers": {"type": "int", "default": 2},
    "approver_role": {"type": "str", "default": "approver"},
    "window": {"type": "str", "default": "03:00-05:00"},
    "source": {"type": "path"},
    "evidence": {"type": "path"},
    "candidate": {"type": "str"},
    "validation": {"type": "str"},
    "approvals": {"type": "path"},
    "approvals_from": {"type": "path"},
    "approval_texts": {"type": "dict", "default": {}},
    "confirm": {"type": "bool", "default": False},
    "force_reason": {"type": "str"},
    "away_from": {"type": "str"},
    "reason": {"type": "str"},
    "actor": {"type": "str"},
    "run": {"type": "str", "default": "-"},
    "heads": {"type": "list", "elements": "str", "default": []},
    "every_signature": {"type": "bool", "default": False},
    "keep_candidates": {"type": "int", "default": 20},
    "keep_models": {"type": "int", "default": 10},
    "wait_s": {"type": "float", "default": 10.0},
    "golive_drift": {"type": "bool", "default": False},
}


def perform(given: Mapping[str, Any], dry: bool, store: Optional[Store] = None, **act: Any) -> Dict[str, Any]:
    """Return the module's result: `{changed, changes, problems, facts, diff}`, with `failed` and `msg` where it was refused."""
    try:
        if given["golive_drift"] and not dry and given["action"] not in ("info", "verify"):
            raise RegistryError("this run was opened as drift and must change nothing", code="usage", where="model_promotion")
        missing = [name for name in NEEDS[given["action"]] if not given.get(name)]
        if missing:
            raise RegistryError("is missing", code="usage", where="model_promotion %s: %s" % (given["action"], ", ".join(missing)))
        place = store if store is not None else open_store(given["store"], given["scope"])
        if given["action"] in ("info", "verify"):
            return _look(given, place)
        who = Act(given.get("actor") or _user(), given["run"], dry, **act)
        outcome = _act(given, Registry(place, settings(given), who))
    except (GoliveError, Undecided, OSError) as exc:
        told = exc.reason if isinstance(exc, Undecided) else sentence(exc)
        code = getattr(exc, "code", "store")
        return {"changed": False, "changes": [], "problems": [told], "facts": {}, "failed": True, "msg": told, "code": code}
    result = {"changed": bool(outcome.changes), "changes": outcome.changes, "problems": outcome.problems, "facts": outcome.facts,
              "diff": {name: json.dumps(one, indent=2, sort_keys=True) + "\n" if one else "" for name, one in outcome.diff.items()}}
    if outcome.problems:
        result.update(failed=True, code="gates", msg="; ".join(outcome.problems))
    return result


def settings(given: Mapping[str, Any]) -> Settings:
    """Return the settings that a task gives."""
    who = records.enrolled(given["system"], given["rehearsal"], given["signers"], given["people"], given["issuers"])
    return Settings(given["system"], names.scope(given["scope"]), given["profile"], given.get("bot_schema"), who, given["approvers"],
                    given["approver_role"], given["window"], given["wait_s"])


def open_store(where: Mapping[str, Any], scope: str) -> Store:
    """Return the store of a task. boto3 is needed for an object store only, and only then imported."""
    if where.get("path"):
        from .local_store import LocalStore  # noqa: PLC0415

        return LocalStore(where["path"], scope)
    from .s3_store import S3Store  # noqa: PLC0415

    return S3Store(where["bucket"], where.get("prefix") or "", scope, endpoint=where.get("endpoint"), region=where.get("region"),
                   lock_days=where.get("lock_days") or 0, ca_file=where.get("ca_file"))


def _act(given: Mapping[str, Any], registry: Registry) -> Outcome:
    action = given["action"]
    if action == "register":
        return registry.register(given["source"])
    if action == "validate":
        return registry.validate(given["candidate"], given["evidence"], given.get("source"))
    if action == "approve":
        with _approvals(given) as folder:
            return registry.approve(given["candidate"], given["validation"], folder, given["confirm"], given.get("force_reason"))
    if action == "rollback":
        return registry.rollback(given["reason"], given.get("candidate"), given.get("away_from"))
    return registry.prune(given["keep_candidates"], given["keep_models"])


@contextmanager
def _approvals(given: Mapping[str, Any]) -> Iterator[str]:
    """Give the folder of the approvals; texts that came with the task are shown in memory."""
    if given.get("approvals"):
        yield str(given["approvals"])
        return
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 (a private folder in it, gone at the end)
    with tempfile.TemporaryDirectory(prefix="golive-approvals-", dir=memory) as folder:
        for name, text in (given.get("approval_texts") or {}).items():
            if os.path.basename(name) != name or not name.startswith(records.STATEMENT + "-"):
                raise RegistryError("is not the name of an approval", code="usage", where=repr(name)[:80])
            with open(os.path.join(folder, name), "w", encoding="utf-8") as handle:
                handle.write(text)
        yield folder


def _look(given: Mapping[str, Any], store: Store) -> Dict[str, Any]:
    store.check()
    nothing: List[Any] = []
    if given["action"] == "info":
        return {"changed": False, "changes": nothing, "problems": nothing, "facts": survey.info(store)}
    who = settings(given).who if given["signers"] else None
    found = survey.verify(store, who, given["approver_role"], given["approvers"], [audit.parse_head(one) for one in given["heads"]],
                          given["every_signature"])
    result: Dict[str, Any] = {"changed": False, "changes": nothing, "problems": found.problems, "facts": found.facts}
    if found.problems:
        result.update(failed=True, code="verify", msg="; ".join(found.problems[:5]))
    return result


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
