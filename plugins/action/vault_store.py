"""Makes the secret store what the role says, from the controller: initialised, unsealed, configured, root token revoked."""
from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from golive import secrets
from golive.errors import GoliveError
from golive.sets.acting import Predictions
from golive.store import bring_up, client, nodes, settings, wanted
from golive.store.acting import KEEPERS, StoreAction, change

WAIT_S = 60


class ActionModule(StoreAction):
    """Task `vault_store:`; see library/vault_store.py for the arguments."""

    SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        **KEEPERS, "keepers": {"type": "list", "elements": "str", "required": True}, "threshold": {"type": "int", "required": True},
        "shares": {"type": "path", "required": True}, "system": {"type": "str", "required": True},
        "audit_files": {"type": "list", "elements": "str", "required": True},
        "controller_cidrs": {"type": "list", "elements": "str", "default": []}, "config": {"type": "dict", "default": {}},
        "processes": {"type": "dict", "default": {}}, "identity_ttl": {"type": "int", "default": 0}, "address": {"type": "str"},
        "member": {"type": "bool", "default": False}, "voters": {"type": "int", "default": 0},
        "opens_itself": {"type": "bool", "default": False}, "server_audits": {"type": "bool", "default": False}}

    def on_store(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Bring it up and configure it, or wait until every member votes."""
        if given["voters"]:
            return {} if dry else {"voters": nodes.await_voters(self.login(task_vars), given["voters"], nodes.VOTE_S)}
        changes, surplus = self._make(given, task_vars, dry)
        if surplus and self._drifting(task_vars):
            # Drift is what differs from code; that nobody asked golive to remove it does not make it less of a difference.
            changes = changes + [change(one, "surplus") for one in surplus]
        elif surplus:
            self._display.warning(f"in the store and not in code: {', '.join(surplus)}")
        return {"changes": changes, "surplus": surplus}

    def _drifting(self, task_vars: dict[str, Any]) -> bool:
        value = self.template(task_vars["golive_dry"]) if "golive_dry" in task_vars else False
        return value is True or str(value).lower() in {"true", "yes", "1"}

    def _make(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> tuple[list[dict[str, Any]], list[str]]:
        store = self.settings(task_vars)
        store = replace(store, address=given["address"]) if given["address"] else store
        more = wanted.from_inventory(given["config"])
        engines = {path: str(one.get("type")) for path, one in more.mounts.items()}
        want = wanted.joined(
            wanted.system_wants(given["system"], given["audit_files"], given["controller_cidrs"], engines=engines,
                                identity_ttl=given["identity_ttl"], processes=given["processes"]),
            wanted.processes_want(given["system"], given["processes"]), more)
        try:
            _await_answer(store, 0 if dry else WAIT_S)
        except GoliveError:
            if dry and given["member"]:
                return bring_up.join(store, bring_up.Keepers([], [], 0, Path(given["shares"]), None), dry=True), []
            if dry:  # not built yet: everything is still to come
                return bring_up.plan_for_nothing(store.address, want, by_itself=given["opens_itself"],
                                                 server_audits=given["server_audits"]), []
            raise
        keepers = self.keepers(given, enrol=not dry)
        if not dry and not 0 < keepers.threshold <= len(keepers.public) == len(keepers.names):
            raise GoliveError("every keeper of an unseal key needs an OpenPGP key", found=f"{len(keepers.public)} keys",
                              expected=f"{len(keepers.names)}", todo="set secrets_keepers_public")
        restarted = dry and any(one["object"] == "unit:vault.service" for one in Predictions(str(task_vars["inventory_hostname"])).all())
        if given["member"]:
            return bring_up.join(store, keepers, dry=dry, restarted=restarted), []
        run = secrets.run_of(task_vars)
        changes = bring_up.bring_up(store, keepers, want, f"{given['system']}-controller", dry=dry, restarted=restarted,
                                    resolve=lambda reference: self.resolve(reference, task_vars), run=run,
                                    server_audits=given["server_audits"])
        closed = {"initialise"} if restarted else {"initialise", "unseal"}    # one that will be restarted can be asked until then
        if dry and any(one["op"] in closed or one["object"].startswith("vault_identity:") for one in changes):
            return changes, []  # nobody can ask it yet
        try:
            return changes, bring_up.surplus(store, want, run)
        except GoliveError as exc:
            if not (dry and changes):
                raise
            # Its own policy is among the changes: until then the controller may not read all that it will compare.
            self._display.warning(f"what is in the store and not in code cannot be told before this is applied: {exc}")
            return changes, []


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
