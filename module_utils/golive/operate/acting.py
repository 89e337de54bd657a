"""What the operating actions share: one file streamed to the host, one answer back, one record in the run. Controller only."""
from __future__ import annotations

import json
import secrets as random
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from .. import rundir, session
from ..errors import GoliveError


class Unreached(GoliveError):
    """The host gave no answer at all, so nothing is known of it."""


class OperateAction(ActionBase):  # type: ignore[misc]  # ansible has no types
    """Base of incident, reconcile and restart_bot. Needs no opened run: what is broken may be what a run is opened with."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Act, and turn every error into one sentence."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            return {**result, **self.act(str(task_vars["inventory_hostname"]), task_vars)}
        except GoliveError as exc:
            return {**result, "failed": True, "changed": False, "msg": str(exc)}

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do what the task is for; return the task's result."""
        raise NotImplementedError

    def on_host(self, module: ModuleType, payload: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run `main(payload)` of a one-file module on the task's host as root and return its answer.

        Raises Unreached when there was none, GoliveError with the host's own sentence when it could not do it.
        """
        nonce = random.token_hex(8)
        content = json.dumps(json.dumps({**payload, "nonce": nonce}))
        script = f"{Path(str(module.__file__)).read_text('utf-8')}\n\nmain(json.loads({content}))\n".encode()
        out = self.streamed(script, task_vars)
        host = str(task_vars["inventory_hostname"])
        mark = f"--golive {nonce} "
        line = next((one for one in out["stdout"].splitlines() if one.startswith(mark)), None)
        if line is None:
            raise Unreached("the host did not answer", where=host, found=f"exit {out['rc']}", todo="run again: every step can be repeated")
        answer: dict[str, Any] = json.loads(line[len(mark):])
        if "problem" in answer:
            raise GoliveError(answer["problem"], where=host)
        return answer

    def streamed(self, script: bytes, task_vars: Mapping[str, Any]) -> dict[str, Any]:
        """Run a Python text on the task's host as root, nothing is left there. Raises Unreached."""
        python, host = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3"), str(task_vars["inventory_hostname"])
        try:
            out: dict[str, Any] = self._low_level_execute_command(f"{python} -ISE -", in_data=script, sudoable=True)
        except AnsibleConnectionFailure:
            raise Unreached("the host was not reached, nothing is known of it", where=host, todo="run again when it answers") from None
        except AnsibleError as exc:
            raise Unreached("root is needed on the host", where=host, found=str(exc).strip().splitlines()[0][:200]) from None
        return out

    @staticmethod
    def keep(name: str, record: Mapping[str, Any], task_vars: Mapping[str, Any]) -> str:
        """Write a record into this run's directory and return its path. Raises GoliveError when no run holds the lock."""
        run = rundir.current(session.reports_of(session.system_of([str(task_vars["inventory_file"])])))
        return str(run.write(name, record).relative_to(session.ROOT))
