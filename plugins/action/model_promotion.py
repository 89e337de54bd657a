"""model_promotion: gives the module what lies on the controller, in memory: who may sign, signed approvals, heads carried away earlier.

After a `verify` that holds, the head of the log is kept in `reports/<system>/model_heads/`, where whoever rewrites the log on the host
cannot reach it; the next `verify` asks whether it still lies on the log.
"""
from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golive import people, session, signing
from golive.errors import GoliveError
from golive.model_registry import names
from golive.model_registry.task import SPEC
from golive.rundir import append_line
from golive.sets.acting import SetAction

_CAP = 1 << 16
GIVEN = {name: one for name, one in SPEC.items() if name != "golive_drift"}


class ActionModule(SetAction):
    """Task `model_promotion:`."""

    MODULE = "model_promotion"
    SPEC = GIVEN

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Add signers and people of the repository where the task names none, the approvals of the controller, and the carried heads."""
        folder = session.ROOT / "signers" / str(given["system"])
        if not given["signers"] and folder.is_dir():
            rehearsal = bool(given["rehearsal"])
            known = people.load(folder / "roles.yml", rehearsal)
            given.update(signers=signing.signers_of(folder, rehearsal).decode("utf-8"), issuers=dict(known.issuers),
                         people={name: dict(one) for name, one in known.persons.items()})
        if given.get("approvals_from"):
            given["approval_texts"] = _texts(session.ROOT / str(given.pop("approvals_from")))
        if given["action"] == "verify" and not given["heads"]:
            given["heads"] = _carried(_heads(given, variables))
        return given

    def execute(self, arguments: dict[str, Any], variables: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Run the module; keep the head of a log that holds."""
        result = super().execute(arguments, variables, dry)
        head = (result.get("facts") or {}).get("head")
        if arguments["action"] == "verify" and head and not dry and not result.get("failed"):
            path = _heads(arguments, variables)
            if head not in _carried(path)[-1:]:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                append_line(path, {"head": head})
        return result


def _heads(given: Mapping[str, Any], variables: Mapping[str, Any]) -> Path:
    name = "%s-%s" % (variables.get("inventory_hostname", "host"), names.scope(given["scope"]).replace("/", "-"))
    return session.reports_of(str(given["system"])) / "model_heads" / name


def _carried(path: Path) -> list[str]:
    found = []
    for line in path.read_text("ascii").splitlines() if path.is_file() else []:
        with contextlib.suppress(ValueError):      # half a line, left by a crash: the next verify writes it anew
            found.append(str(json.loads(line)["head"]))
    return found


def _texts(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise GoliveError("is no folder of the controller", where=str(folder), todo="name the folder with the signed approvals")
    found = {}
    for path in sorted(folder.glob("model.approved-*")):
        if path.stat().st_size > _CAP:
            raise GoliveError("is too large for an approval", where=path.name)
        found[path.name] = path.read_text("utf-8")
    return found
