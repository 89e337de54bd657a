"""leak_hunt: turns references into keyed hashes on the controller; only those travel to the host. See library/leak_hunt.py."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from golive import secrets
from golive.errors import GoliveError


class ActionModule(ActionBase):
    """Task `leak_hunt:`."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        wanted = arguments.pop("secrets", None)
        if not isinstance(wanted, list) or not wanted:
            return {**result, "failed": True, "changed": False, "changes": [], "msg": "secrets: name the references of what is searched"}
        try:
            arguments["indexes"] = [secrets.resolve(f"index:{one}", task_vars, self._templar.template) for one in wanted]
        except GoliveError as exc:
            return {**result, "failed": True, "changed": False, "changes": [], "msg": str(exc)}
        return {**result, **self._execute_module(module_name="leak_hunt", module_args=arguments, task_vars=task_vars)}
