"""confirmed_files: applies files that can lock golive out on trial, then comes in over a fresh connection and confirms them."""
from __future__ import annotations

import json
import secrets as random
import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from golive.errors import GoliveError
from golive.sets.content_action import ContentAction
from golive.sets.spec import CONFIRMED

GRACE_S = 90   # a loaded controller needs some time for each attempt


class ActionModule(ContentAction):
    """See library/confirmed_files.py."""

    MODULE = "confirmed_files"
    SET = "golive.sets.confirmed"
    SPEC = CONFIRMED

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return the module's arguments; the token tells this task's trial from one that a killed run left open."""
        files = [self.file_entry(entry, variables, dry) for entry in given.pop("files")]
        return {**given, "payload": json.dumps({"files": files}), "token": random.token_hex(8)}

    def execute(self, arguments: dict[str, Any], variables: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Apply, drop the connection, come in again, confirm. Locked out: wait until the host has gone back, then say so."""
        started = time.monotonic()
        try:
            result = super().execute(arguments, variables, dry)
        except AnsibleConnectionFailure:
            result = {"changed": True, "changes": []}       # the established connection was cut as well
        if dry or result.get("failed") or not result.get("changed"):
            return result
        try:
            self._connection.reset()
            confirmed = super().execute({**arguments, "step": "confirm"}, variables, dry)
            if not confirmed.get("unreachable"):
                return {**result, **confirmed, "changes": result["changes"], "changed": not confirmed.get("failed", False)}
        except AnsibleConnectionFailure:
            pass
        self._await_the_way_back(arguments, variables, started + arguments["within_s"] + GRACE_S)
        raise GoliveError(f"the new {arguments['name']} let no fresh connection in, and the host went back to the former one",
                          where=str(variables.get("inventory_hostname")), todo="correct the rule that kept golive out, then run again")

    def _await_the_way_back(self, arguments: dict[str, Any], variables: dict[str, Any], deadline: float) -> None:
        while True:
            try:
                self._connection.reset()
                if super().execute({**arguments, "step": "ask"}, variables, False).get("reverted"):
                    return
            except AnsibleConnectionFailure:
                pass
            if time.monotonic() > deadline:
                raise GoliveError(f"the new {arguments['name']} let no fresh connection in, and the host has not come back",
                                  where=str(variables.get("inventory_hostname")), todo="use the console of the host")
            time.sleep(1)   # the interval of a poll with a deadline
