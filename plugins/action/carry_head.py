"""carry_head: keeps the head of the audit chain on another host, where whoever rewrites the chain cannot reach it."""
from __future__ import annotations

import json
import secrets
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from golive import acts, audit, session
from golive.errors import GoliveError
from golive.rundir import write_atomic

_HOST = """
import json,os,sys
path, head = json.loads(%r)
os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
try: heads = json.load(open(path))
except FileNotFoundError: heads = []
if head is not None and (not heads or heads[-1] != head):
    heads = heads[-999:] + [head]
    with open(path + ".new", "w") as out:
        json.dump(heads, out); out.flush(); os.fsync(out.fileno())
    os.replace(path + ".new", path)
print("--golive %s " + json.dumps(heads))
"""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Task `carry_head:` with `path`, on hosts of group guards. Heads carried earlier are verified first; they only ever grow."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            return {**result, **self._carry(task_vars)}
        except (GoliveError, AnsibleError) as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _carry(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"path": {"type": "str", "required": True}})
        run = session.join(task_vars).run
        log = acts.log_of(run)
        if self._task.check_mode:
            return {"changed": False, "changes": []}
        before = self._ask(given["path"], None, task_vars)
        chain = log.verify([audit.parse_head(text) for text in before])
        head = str(chain.head)
        after = before if before and before[-1] == head else self._ask(given["path"], head, task_vars)
        if after[-1:] != [head]:
            raise GoliveError("the head was not kept", where=str(task_vars["inventory_hostname"]), todo="run again")
        # What the other host gave back, for the probe that looks at the chain; every carrying reads it anew from there.
        write_atomic(run.path.parent / "audit_heads.json", json.dumps(after).encode())
        # Not a change of the managed host: like a record of the run it grows with every act, and nothing depends on its size.
        return {"changed": False, "changes": [], "heads": len(after)}

    def _ask(self, path: str, head: str | None, task_vars: dict[str, Any]) -> list[str]:
        nonce = secrets.token_hex(8)
        python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        out = self._low_level_execute_command(f"{python} -ISE -", in_data=(_HOST % (json.dumps([path, head]), nonce)).encode())
        line = next((one for one in out["stdout"].splitlines() if one.startswith(f"--golive {nonce} ")), None)
        if line is None:
            raise GoliveError("the heads of the audit chain cannot be read or kept", where=str(task_vars["inventory_hostname"]), found=path)
        heads = json.loads(line.split(" ", 2)[2])
        return [str(one) for one in heads] if isinstance(heads, list) else []
