"""Introduces the agent of a process to the store: one wrapped secret id, only where the agent is not logged in."""
from __future__ import annotations

import json
import secrets as random
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from golive import secrets
from golive.errors import GoliveError
from golive.store import agent_host, client
from golive.store.wanted import WRAPPED_S

SPEC = {"role": {"type": "str", "required": True}, "folder": {"type": "path", "required": True}, "port": {"type": "int", "required": True},
        "owner": {"type": "str", "required": True}}


class ActionModule(ActionBase):
    """Task `store_identity:`; see library/store_identity.py for the arguments."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(SPEC)
        try:
            changes = self._introduce(given, task_vars)
        except GoliveError as exc:
            return {**result, "failed": True, "changed": False, "changes": [], "msg": str(exc)}
        return {**result, "changed": bool(changes), "changes": changes}

    def _introduce(self, given: dict[str, Any], task_vars: dict[str, Any]) -> list[dict[str, Any]]:
        if self._on_host(given, task_vars)["authenticated"]:
            return []
        changes = [{"object": f"vault_login:{given['role']}", "op": "create", "before": None, "after": None}]
        if self._task.check_mode:
            return changes
        connected, role = client.login(secrets.where(task_vars, self._templar.template), secrets.run_of(task_vars)), given["role"]
        role_id = client.said(lambda: connected.auth.approle.read_role_id(role), f"read the role id of {role}")["data"]["role_id"]
        wrapped = client.said(lambda: connected.auth.approle.generate_secret_id(role, wrap_ttl=f"{WRAPPED_S}s"), f"introduce {role}")
        answer = self._on_host({**given, "role_id": role_id, "secret_id": wrapped["wrap_info"]["token"]}, task_vars)
        if not answer["authenticated"]:
            raise GoliveError(f"the agent of {role} did not log in", found=answer.get("problem") or "no success within a minute",
                              todo="look at its journal; secrets_processes has to name this host's address under from")
        return changes

    def _on_host(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        nonce = random.token_hex(8)
        source = Path(agent_host.__file__).read_text("utf-8")
        script = f"{source}\n\nmain(json.loads({json.dumps(json.dumps({**given, 'nonce': nonce}))}))\n"
        python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        try:
            out = self._low_level_execute_command(f"{python} -ISE -", in_data=script.encode(), sudoable=True)
        except AnsibleConnectionFailure:
            raise GoliveError("the host was not reached", where=str(task_vars["inventory_hostname"])) from None
        mark = f"--golive {nonce} "
        line = next((one for one in out["stdout"].splitlines() if one.startswith(mark)), None)
        if line is None:
            raise GoliveError("the host did not answer", where=str(task_vars["inventory_hostname"]), found=f"exit {out['rc']}")
        found: dict[str, Any] = json.loads(line[len(mark):])
        return found
