"""exchange_key_permissions: resolves a reference to the secret store on the controller, then asks from the target.

`credential: vault:<mount>/<path>#<field>` becomes `key_material` in memory; it travels on standard input (M21, M22). Every other
reference names a place on the target and is passed on as it is. See library/exchange_key_permissions.py.
"""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from golive import secrets
from golive.errors import GoliveError
from golive.key_action import ask_key

_STORE = "vault:"


class ActionModule(ActionBase):
    """Task `exchange_key_permissions:`."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        reference = arguments.get("credential")
        try:
            if isinstance(reference, str) and reference.startswith(_STORE):
                if "key_material" in arguments:
                    raise GoliveError("credential and key_material: both given; name the key once")
                arguments["key_material"] = secrets.resolve(reference, task_vars, self._templar.template)
                del arguments["credential"]
            return {**result, **ask_key(self, arguments, task_vars)}
        except GoliveError as exc:
            return {**result, "failed": True, "changed": False, "changes": [], "msg": str(exc)}
