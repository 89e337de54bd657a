"""exchange_key_permissions: resolves a reference to the secret store on the controller, then asks from the target.

`credential: vault:<mount>/<path>#<field>` becomes `key_material` in memory; it travels in the module's arguments on standard input
(M21, M22). Every other reference names a place on the target and is passed on as it is. See library/exchange_key_permissions.py.
"""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from golive import secrets
from golive.errors import GoliveError

_STORE = "vault:"


class ActionModule(ActionBase):
    """Task `exchange_key_permissions:`."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        reference = arguments.get("credential")
        if isinstance(reference, str) and reference.startswith(_STORE):
            if "key_material" in arguments:
                return {**result, "failed": True, "changed": False, "changes": [],
                        "msg": "credential and key_material: both given; name the key once"}
            try:
                arguments["key_material"] = secrets.resolve(reference, task_vars, self._templar.template)
            except GoliveError as exc:
                return {**result, "failed": True, "changed": False, "changes": [], "msg": str(exc)}
            del arguments["credential"]
        answered = self._execute_module(module_name="exchange_key_permissions", module_args=arguments, task_vars=task_vars)
        return {**result, **answered}
