"""Introduces the agent of a process to the store: one wrapped secret id, only where the agent is not logged in."""
from __future__ import annotations

from typing import Any, ClassVar

from golive.errors import GoliveError
from golive.store import agent_host, client
from golive.store.acting import StoreAction, change
from golive.store.wanted import WRAPPED_S


class ActionModule(StoreAction):
    """Task `store_identity:`; see library/store_identity.py for the arguments."""

    SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        "role": {"type": "str", "required": True}, "folder": {"type": "path", "required": True}, "port": {"type": "int", "required": True},
        "owner": {"type": "str", "required": True}}

    def on_store(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Introduce the agent where its own metric does not say that it is logged in."""
        role = given["role"]
        if self.on_host(agent_host, given, task_vars)["authenticated"]:
            return {"changes": []}
        changes = [change(f"vault_login:{role}", "create")]
        if dry:
            return {"changes": changes}
        connected = self.login(task_vars)
        role_id = client.said(lambda: connected.auth.approle.read_role_id(role), f"read the role id of {role}")["data"]["role_id"]
        wrapped = client.said(lambda: connected.auth.approle.generate_secret_id(role, wrap_ttl=f"{WRAPPED_S}s"), f"introduce {role}")
        told = {**given, "role_id": role_id, "secret_id": wrapped["wrap_info"]["token"]}
        if not self.on_host(agent_host, told, task_vars)["authenticated"]:
            raise GoliveError(f"the agent of {role} did not log in", found="no success within a minute",
                              todo="look at its journal; secrets_processes has to name this host's address under from")
        return {"changes": changes}
