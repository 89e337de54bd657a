"""One program of golive on the task's host, and its one answer: streamed, without AnsiballZ. Controller only.

A module that Ansible unpacks pays 0.2 s of the target before its first line (docs/explanation/performance.md); this pays none of it,
and nothing of it, payload included, is ever a file or an argument there.
"""
from __future__ import annotations

import re
import secrets as random
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from . import bundle, session
from .errors import GoliveError

# Only what the way to Python says is shown: Python itself may quote the program, which holds secrets.
_REFUSED = re.compile(r"^(?:sudo|su|doas|(?:/\S*/)?(?:ba|da)?sh): .*", re.M)


def possible(action: ActionBase) -> bool:
    """Return whether the task's connection takes a program on standard input."""
    return bool(action._connection.is_pipelining_enabled())


def ask(action: ActionBase, entry: str, payload: Mapping[str, Any], task_vars: Mapping[str, Any],
        also: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run `main(payload)` of a golive module on the host; `also` are modules that it loads by name. Return what it printed.

    Raises GoliveError when there is no answer or it was cut. A host that cannot be reached is Ansible's to report.
    """
    nonce = random.token_hex(8)
    script = bundle.program(entry, {**payload, "nonce": nonce}, also)
    python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
    command = f"{action._compute_environment_string()} {python} -ISE -".strip()
    out = action._low_level_execute_command(command, in_data=script, sudoable=True)
    try:
        return session.answers(str(out["stdout"]), nonce)[0]
    except (GoliveError, IndexError) as exc:
        words = _REFUSED.search(str(out.get("stderr") or ""))
        reason = {127: f"there is no Python at {python}", 137: "what was asked there was killed"}.get(
            out["rc"], words.group(0)[:200] if words else str(exc) or "the answer is empty")
        raise GoliveError(reason, where=str(task_vars["inventory_hostname"])) from None
