"""Looks: one task per host and phase, one exec, a standard-library runner streamed over stdin (M13, M17, M18)."""
from __future__ import annotations

import sys
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from golive import bundle, plan, secrets, session, unreached
from golive.canonical import digest, utc
from golive.errors import GoliveError


class ActionModule(ActionBase):
    """Task `observe:` with `phase`; runs on every host that looks and writes <run>/<phase>/<host>.json."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"phase": {"type": "str", "required": True}})
        try:
            return {**result, **self._observe(task_vars, arguments["phase"])}
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _observe(self, task_vars: dict[str, Any], phase: str) -> dict[str, Any]:
        joined = session.join(task_vars)
        run, info, host = joined.run, joined.info, str(task_vars["inventory_hostname"])
        controls = session.controls_of(run, phase)
        wanted = plan.targets(controls, info["groups"], host)
        questions = plan.build(run.run, phase, host, wanted, controls, info["addresses"], rehearsal=joined.rehearsal)
        run.write(f"{phase}/plan.{host}.json", questions)
        started, missing, answered = utc(), "the host sent no answer to this", {}
        if questions["probes"]:
            try:
                answered = self._ask(questions, host, joined, task_vars)
            except GoliveError as exc:
                missing = f"{host}: {exc}"
        found = plan.observations(questions, answered, missing, utc())
        path = run.write(f"{phase}/{host}.json", {"run": run.run, "phase": phase, "host": host, "started": started, "finished": utc(),
                                                  "plan_digest": digest(questions), "observations": found})
        unknown = sum(1 for one in found if one["undecided"])
        return {"changed": False, "path": str(path.relative_to(session.ROOT)), "observed": len(found) - unknown, "undecided": unknown}

    def _ask(self, questions: dict[str, Any], host: str, joined: session.Session, task_vars: dict[str, Any]) -> dict[str, Any]:
        values = self._secrets(plan.secret_references(questions), task_vars)
        if host == plan.CONTROLLER:
            context = {"root": str(session.ROOT), "run_dir": str(joined.run.path), "system": joined.system}
            return {one["id"]: one for one in session.observe_here({**questions, "context": context}, values, sys.executable)}
        python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        try:
            out = self._low_level_execute_command(f"{python} -ISE -", in_data=bundle.script(questions, values), sudoable=True)
        except AnsibleConnectionFailure as exc:
            raise GoliveError(f"not reached: {unreached.why(str(exc))}") from None
        except AnsibleError as exc:
            raise GoliveError("could not become root", found=_first_line(exc)) from None
        try:
            return {one["id"]: one for one in session.answers(out["stdout"], questions["nonce"]) if isinstance(one.get("id"), str)}
        except GoliveError as exc:
            reason = {127: f"there is no Python at {python}", 137: "the runner was killed"}.get(out["rc"], str(exc))
            raise GoliveError(reason) from None

    def _secrets(self, references: set[str], task_vars: dict[str, Any]) -> dict[str, str]:
        """Return what can be resolved; a probe whose secret is missing says so itself, the others look all the same."""
        values: dict[str, str] = {}
        for reference in sorted(references):
            try:
                values[reference] = secrets.resolve(reference, task_vars, self._templar.template)
            except GoliveError as exc:
                self._display.vv(str(exc))
        return values


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]
