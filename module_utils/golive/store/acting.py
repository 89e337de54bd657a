"""What the actions on the secret store share: arguments, one login a run, the people's shares. Controller only."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from .. import secrets
from ..operate.acting import OperateAction
from ..sets.acting import Predictions
from . import bring_up, client, people
from .settings import Settings, from_variables

# How the people are named who hold an unseal key; every action that may need their shares takes these.
KEEPERS: dict[str, dict[str, Any]] = {
    "keepers": {"type": "list", "elements": "str", "default": []}, "keepers_public": {"type": "list", "elements": "str", "default": []},
    "threshold": {"type": "int", "default": 2}, "shares": {"type": "path"}, "rehearsal_people": {"type": "path"}}


class StoreAction(OperateAction):
    """Base of vault_store, store_act and store_identity: a subclass says its arguments and what it does with them."""

    SPEC: ClassVar[dict[str, dict[str, Any]]] = {}

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Check the arguments and do it; what changed is what the task says."""
        del host
        _, given = self.validate_argument_spec(self.SPEC)
        dry = bool(self._task.check_mode)
        done = self.on_store(given, task_vars, dry)
        if dry and done.get("changes"):
            Predictions.of_store().add(done["changes"])  # what lays a secret down later has to know that it will be another one
        return {"changed": bool(done.get("changes")), "changes": [], **done}

    def on_store(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Return `changes` and whatever else the task tells. A dry run predicts and writes nothing."""
        raise NotImplementedError

    def template(self, value: Any) -> Any:
        """Resolve what is still a template."""
        return self._templar.template(value)

    def settings(self, task_vars: Mapping[str, Any]) -> Settings:
        """Return where the inventory says that the store is."""
        return from_variables(task_vars, self.template)

    def serving(self, task_vars: Mapping[str, Any]) -> Settings:
        """Return where a node of the store serves."""
        return secrets.where(task_vars, self.template)

    def login(self, task_vars: Mapping[str, Any]) -> Any:
        """Return a client with this run's one token."""
        return client.login(self.serving(task_vars), secrets.run_of(task_vars))

    def resolve(self, reference: str, task_vars: Mapping[str, Any]) -> str:
        """Return the value of a reference, in memory."""
        return secrets.resolve(reference, task_vars, self.template)

    @staticmethod
    def keepers(given: Mapping[str, Any], *, enrol: bool = True) -> bring_up.Keepers:
        """Return who holds the unseal keys; the lab's own people get theirs where `enrol` and none are given."""
        secret = Path(given["rehearsal_people"]) if given["rehearsal_people"] else None
        public = given["keepers_public"] or (people.enrol(secret, given["keepers"]) if secret and enrol else [])
        return bring_up.Keepers(given["keepers"], public, given["threshold"], Path(given["shares"] or "."), secret)


def change(name: str, op: str) -> dict[str, Any]:
    """Return one change in the form of interfaces.md, section 6; of a secret there is no before and after."""
    return {"object": name, "op": op, "before": None, "after": None}
