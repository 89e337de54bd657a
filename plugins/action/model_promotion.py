"""model_promotion: gives the module what lies on the controller: who may sign, and signed approvals, in memory."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golive import people, session, signing
from golive.errors import GoliveError
from golive.model_registry.task import SPEC
from golive.sets.acting import SetAction

_CAP = 1 << 16
GIVEN = {name: one for name, one in SPEC.items() if name != "golive_drift"}


class ActionModule(SetAction):
    """Task `model_promotion:`."""

    MODULE = "model_promotion"
    SPEC = GIVEN

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Add signers and people of the repository where the task names none, and the approvals that lie on the controller."""
        del variables, dry
        folder = session.ROOT / "signers" / str(given["system"])
        if not given["signers"] and folder.is_dir():
            rehearsal = bool(given["rehearsal"])
            known = people.load(folder / "roles.yml", rehearsal)
            given.update(signers=signing.signers_of(folder, rehearsal).decode("utf-8"), issuers=dict(known.issuers),
                         people={name: dict(one) for name, one in known.persons.items()})
        if given.get("approvals_from"):
            given["approval_texts"] = _texts(session.ROOT / str(given.pop("approvals_from")))
        return given


def _texts(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        raise GoliveError("is no folder of the controller", where=str(folder), todo="name the folder with the signed approvals")
    found = {}
    for path in sorted(folder.glob("model.approved-*")):
        if path.stat().st_size > _CAP:
            raise GoliveError("is too large for an approval", where=path.name)
        found[path.name] = path.read_text("utf-8")
    return found
