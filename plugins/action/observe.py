"""Looks: one task per host and phase, one exec, a standard-library runner streamed over stdin (M13, M17, M18)."""
from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from golive import bundle, judge, plan, secrets, session, unreached
from golive.canonical import digest, utc
from golive.errors import GoliveError

PAUSE_S = 2.0


class ActionModule(ActionBase):
    """Task `observe:` with `phase`; runs on every host that looks and writes <run>/<phase>/<host>.json.

    `patience_s`: how long what was answered and is undecided is asked again. A rehearsal has days of seconds: the number of orders in
    one of them varies, and an alert needs its time to arrive; in production the same wait is days, and the gate says so instead.
    """

    rest = staticmethod(time.sleep)

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"phase": {"type": "str", "required": True},
                                                    "patience_s": {"type": "float", "default": 0.0}})
        try:
            return {**result, **self._observe(task_vars, arguments["phase"], arguments["patience_s"])}
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _observe(self, task_vars: dict[str, Any], phase: str, patience_s: float) -> dict[str, Any]:
        joined = session.join(task_vars)
        run, info, host = joined.run, joined.info, str(task_vars["inventory_hostname"])
        controls = session.controls_of(run, phase)
        wanted = plan.targets(controls, info["groups"], host)
        questions = plan.build(run.run, phase, host, wanted, controls, info["addresses"], rehearsal=joined.rehearsal)
        run.write(f"{phase}/plan.{host}.json", questions)
        started = utc()
        answered, missing = self._answers(questions, controls, host, joined, task_vars, patience_s)
        found = plan.observations(questions, answered, missing, utc())
        path = run.write(f"{phase}/{host}.json", {"run": run.run, "phase": phase, "host": host, "started": started, "finished": utc(),
                                                  "plan_digest": digest(questions), "observations": found})
        unknown = sum(1 for one in found if one["undecided"])
        return {"changed": False, "path": str(path.relative_to(session.ROOT)), "observed": len(found) - unknown, "undecided": unknown}

    def _answers(self, questions: dict[str, Any], controls: Mapping[str, Any], host: str, joined: session.Session,
                 task_vars: dict[str, Any], patience_s: float) -> tuple[dict[str, Any], str]:
        """Return the answers by question, and why one that is not there is missing."""
        todo, end, answered = questions["probes"], time.monotonic() + patience_s, {}
        while todo:
            try:
                answered |= self._ask({**questions, "probes": todo}, host, joined, task_vars)
            except GoliveError as exc:
                return answered, f"{host}: {exc}"
            todo = _undecided({**questions, "probes": todo}, answered, controls) if time.monotonic() < end else []
            if todo:
                self.rest(PAUSE_S)
        return answered, "the host sent no answer to this"

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


def _undecided(questions: dict[str, Any], answered: Mapping[str, Any], controls: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the questions whose answer leaves a control undecided that asks them; a probe that could not look will not a second later."""
    return [entry for entry in questions["probes"]
            if any(not one["undecided"] and judge.judge(controls[one["control"]], one).verdict == judge.UNDECIDED
                   for one in plan.observations({**questions, "probes": [entry]}, answered, "", ""))]


def _first_line(exc: Exception) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]
