"""Streams the question of exchange_key_permissions to the task's host, without AnsiballZ. Controller only.

A module that Ansible unpacks pays 0.2 s of the target before its first line (docs/explanation/performance.md); this pays none of it.
Arguments are checked here by the module's own specification. Where a connection cannot stream, the module itself is sent.
"""
from __future__ import annotations

import secrets as random
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from . import bundle, session
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
    if not action._connection.is_pipelining_enabled():
        found: dict[str, Any] = action._execute_module(module_name=MODULE, module_args=dict(given), task_vars=task_vars)
        return found
    arguments = checked(given)
    nonce = random.token_hex(8)
    script = bundle.program(ENTRY, {"arguments": arguments, "nonce": nonce})
    python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
    command = f"{action._compute_environment_string()} {python} -ISE -".strip()
    out = action._low_level_execute_command(command, in_data=script, sudoable=True)
    try:
        answer = session.answers(str(out["stdout"]), nonce)[0]
    except GoliveError as exc:
        reason = {127: f"there is no Python at {python}", 137: "the check was killed"}.get(out["rc"], str(exc))
        raise GoliveError(reason, where=str(task_vars["inventory_hostname"])) from None
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
