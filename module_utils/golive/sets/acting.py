"""The controller's side of the set modules: check mode, drift, and what earlier tasks of a dry run predicted. Never sent to a target."""
from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from .. import saved_plan, session, streaming
from ..errors import GoliveError
from .spec import MODULES, Spec


class SetAction(ActionBase):  # type: ignore[misc]  # ansible has no types
    """Runs one set module. A subclass names the module and may turn the task's arguments into the module's."""

    MODULE: str
    SET: str        # the module of golive that carries it out
    SPEC: Spec

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Refuse what drift forbids, run the module, remember what it predicts."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        dry = bool(self._task.check_mode)
        drift = self._opened_as_drift(variables)
        predictions = Predictions(str(variables.get("inventory_hostname", "")))
        try:
            if drift and not dry:
                raise GoliveError("this run was opened as drift and must change nothing, but this task was not given check mode",
                                  where=self.MODULE, todo="set check_mode on the play as the other building plays do")
            arguments = self.arguments(self._validated(), variables, dry)
            arguments["golive_drift"] = drift
            if dry:
                arguments.update(self.foreseen(predictions))
            else:
                self._hold_to_plan(arguments, variables)
            result = self.execute(arguments, variables, dry)
        except (GoliveError, OSError) as exc:
            raise AnsibleActionFail(str(exc)) from None
        if drift and result.get("failed"):
            result = told_as_drift(result)
        if dry and result.get("changes"):
            result["changes"] = predictions.new(result["changes"])
            result["changed"] = bool(result["changes"])
            predictions.add(result["changes"])
        result.pop("invocation", None)
        return result

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return the module's arguments for the validated arguments of the task."""
        del variables, dry
        return given

    def foreseen(self, predictions: Predictions) -> dict[str, Any]:
        """Return the arguments by which the module learns in a dry run what earlier tasks would have changed."""
        del predictions
        return {}

    def execute(self, arguments: dict[str, Any], variables: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Carry out the set once: streamed, or as module where the connection cannot stream."""
        given = given_only(arguments)
        if not streaming.possible(self):
            found: dict[str, Any] = self._execute_module(module_name=self.MODULE, module_args=given, task_vars=variables)
            return found
        payload = {"set": self.SET, "arguments": checked(MODULES[self.MODULE], given, self.MODULE), "dry": dry}
        try:
            return {"changed": False, **streaming.ask(self, "golive.sets.task", payload, variables, (self.SET,))}
        except GoliveError as exc:
            return {"changed": False, "failed": True, "msg": str(exc)}

    def _hold_to_plan(self, arguments: dict[str, Any], variables: dict[str, Any]) -> None:
        """In a run that carries out a saved plan, ask the module first what it would change. Raises GoliveError when more than planned."""
        try:
            run = session.join(variables).run
        except (GoliveError, KeyError, OSError):
            return  # no run of golive: a role in molecule
        plan = saved_plan.of_run(run)
        if plan is None:
            return
        self._task.check_mode = True
        try:
            foreseen = self.execute(dict(arguments), variables, True)
        finally:
            self._task.check_mode = False
        words = saved_plan.unplanned(plan, str(variables.get("inventory_hostname")), foreseen.get("changes") or [])
        if words:
            raise saved_plan.refuse("the plan does not hold what this task would change, so it changed nothing", words, self.MODULE)

    def _validated(self) -> dict[str, Any]:
        return checked(self.SPEC, self._task.args, self.MODULE)

    def _opened_as_drift(self, variables: Mapping[str, Any]) -> bool:
        """`golive_dry` is set by drift.yml, `mode` by whoever opened the run; either is enough. A role in molecule has no run."""
        value = self._templar.template(variables["golive_dry"]) if "golive_dry" in variables else False
        with contextlib.suppress(GoliveError, KeyError, OSError):
            if session.join(variables).info["mode"] == "drift":
                return True
        return bool(boolean(value, strict=False))


def told_as_drift(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a drift run's task with what stands in the way as differences: one of them must not hide all the others."""
    words = result.get("problems") or [str(result.get("msg") or "the module failed without a word")]
    blocked = [{"object": f"problem:{one}"[:500], "op": "blocked", "before": None, "after": None} for one in words]
    kept = {key: value for key, value in result.items() if key not in ("failed", "msg")}
    return {**kept, "changes": [*(result.get("changes") or []), *blocked], "changed": True}


def checked(spec: Spec, given: Mapping[str, Any], module: str) -> dict[str, Any]:
    """Return every argument in its own type, with defaults. Raises GoliveError with Ansible's own sentences."""
    validated = ArgumentSpecValidator(spec).validate(dict(given))
    if validated.error_messages:
        raise GoliveError("; ".join(validated.error_messages), where=module, todo="correct the task's arguments")
    parameters: dict[str, Any] = validated.validated_parameters
    return parameters


def given_only(value: Any) -> Any:
    """Return arguments without what was left out: the validation fills None in, and the module's own would count it as given."""
    if isinstance(value, dict):
        return {key: given_only(one) for key, one in value.items() if one is not None}
    return [given_only(one) for one in value] if isinstance(value, list) else value


class Predictions:
    """What the tasks of this dry run would have changed on one host so far; lives and dies with the run's own temporary directory.

    In a dry run the host stays as it is, so a later task (units) cannot see that a file it depends on would be another one by now.
    """

    def __init__(self, host: str, directory: str | None = None) -> None:
        place = str(directory or constants.DEFAULT_LOCAL_TMP)
        self._path = os.path.join(place, "golive-predicted-%s.jsonl" % host.replace("/", "_"))

    def add(self, changes: list[dict[str, Any]]) -> None:
        """Append the changes of one task."""
        with open(self._path, "a", encoding="utf-8") as handle:
            handle.writelines(json.dumps(change) + "\n" for change in changes)

    def new(self, changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the changes that no earlier task would have made already: two roles may want the same package or directory."""
        earlier = {(one["object"], one["op"], one.get("after")) for one in self.all()}
        return [one for one in changes if (one["object"], one["op"], one.get("after")) not in earlier]

    @classmethod
    def of_store(cls, directory: str | None = None) -> Predictions:
        """Return what this dry run would have changed in the secret store, whichever host's task said so."""
        return cls("@store", directory)

    def replaces(self, reference: str) -> bool:
        """Return whether a secret would have another value by now."""
        return any(one["object"] == f"vault_secret:{reference}" for one in self.all())

    def all(self) -> list[dict[str, Any]]:
        """Return all changes that were predicted so far."""
        try:
            with open(self._path, encoding="utf-8") as handle:
                return [json.loads(line) for line in handle]
        except FileNotFoundError:
            return []
