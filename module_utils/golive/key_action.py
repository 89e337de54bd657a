"""Streams the question of exchange_key_permissions to the task's host (golive.streaming). Controller only.

Arguments are checked here by the module's own specification. Where a connection cannot stream, the module itself is sent.
"""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from . import streaming
from .errors import GoliveError
from .exchange.spec import ARGUMENTS, ONE_KEY

MODULE, ENTRY = "exchange_key_permissions", "golive.key_task"
# A path is expanded where it is looked up, on the host.
_SPEC = {name: {**option, "type": "str"} if option["type"] == "path" else option for name, option in ARGUMENTS.items()}


def ask_key(action: ActionBase, given: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of the task: verdict, problems, undecided, facts, msg; `failed` where `enforce` wants a pass and there is none.

    Raises GoliveError when nothing was asked: arguments that mean nothing, no Python on the host, an answer that was cut. A host that
    cannot be reached is Ansible's to report.
    """
    if not streaming.possible(action):
        found: dict[str, Any] = action._execute_module(module_name=MODULE, module_args=dict(given), task_vars=task_vars)
        return found
    arguments = checked(given)
    answer = streaming.ask(action, ENTRY, {"arguments": arguments}, task_vars)
    if "problem" in answer:
        raise GoliveError(str(answer["problem"]))
    refused = arguments["enforce"] and answer["verdict"] != "pass"
    return {**answer, "changed": False, **({"failed": True} if refused else {})}


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every argument in its own type, with defaults. Raises GoliveError with Ansible's own sentences."""
    validated = ArgumentSpecValidator(_SPEC, mutually_exclusive=ONE_KEY, required_one_of=ONE_KEY).validate(dict(given))
    if validated.error_messages:
        raise GoliveError("; ".join(validated.error_messages), where=MODULE)
    found: dict[str, Any] = validated.validated_parameters
    return found
