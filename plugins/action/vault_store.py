"""Makes the secret store what the role says, from the controller: initialised, unsealed, configured, root token revoked."""
from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from golive.errors import GoliveError
from golive.store import bring_up, client, people, settings, wanted

WAIT_S = 60


class ActionModule(ActionBase):
    """Task `vault_store:`; see library/vault_store.py for the arguments."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec({
            "system": {"type": "str", "required": True}, "audit_files": {"type": "list", "elements": "str", "required": True},
            "controller_cidrs": {"type": "list", "elements": "str", "default": []},
            "keepers": {"type": "list", "elements": "str", "required": True}, "threshold": {"type": "int", "required": True},
            "keepers_public": {"type": "list", "elements": "str", "default": []}, "shares": {"type": "path", "required": True},
            "rehearsal_people": {"type": "path"}})
        try:
            changes = self._make(given, task_vars)
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}
        return {**result, "changed": bool(changes), "changes": changes}

    def _make(self, given: dict[str, Any], task_vars: dict[str, Any]) -> list[dict[str, Any]]:
        dry = bool(self._task.check_mode)
        store = settings.from_variables(task_vars, self._templar.template)
        want = wanted.system_wants(given["system"], given["audit_files"], given["controller_cidrs"])
        try:
            _await_answer(store, 0 if dry else WAIT_S)
        except GoliveError:
            if dry:  # not built yet: everything is still to come
                return bring_up.plan_for_nothing(store.address, want)
            raise
        secret = Path(given["rehearsal_people"]) if given["rehearsal_people"] else None
        public = given["keepers_public"] or (people.enrol(secret, given["keepers"]) if secret and not dry else [])
        if not dry and not 0 < given["threshold"] <= len(public) == len(given["keepers"]):
            raise GoliveError("every keeper of an unseal key needs an OpenPGP key", found=f"{len(public)} keys",
                              expected=f"{len(given['keepers'])}", todo="set secrets_keepers_public")
        keepers = bring_up.Keepers(given["keepers"], public, given["threshold"], Path(given["shares"]), secret)
        return bring_up.bring_up(store, keepers, want, f"{given['system']}-controller", dry=dry)


def _await_answer(store: settings.Settings, seconds: float) -> None:
    """Wait until the store answers at all; it may have been started a moment ago."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            client.said(client.unauthenticated(store).sys.read_seal_status, "answer")
            return
        except GoliveError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)
