"""sealed_files: resolves the secrets on the controller and runs library/sealed_files.py with them, over the pipelined stdin only."""
from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from golive.errors import GoliveError
from golive.sets.content_action import SecretAction
from golive.sets.spec import SEALED


class ActionModule(SecretAction):
    """See library/sealed_files.py."""

    MODULE = "sealed_files"
    SET = "golive.sets.sealed"
    SPEC = SEALED

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return the payload. In a dry run a secret that cannot be resolved yet is a prediction, in a real one an error."""
        files = []
        for entry in given["files"]:
            one: dict[str, Any] = {"path": entry["path"], "name": entry["name"], "content": None}
            try:
                one["content"] = base64.b64encode(self.secret(entry["secret"], variables, dry)).decode()
            except GoliveError as exc:
                if not dry:
                    raise
                one["unresolved"] = str(exc)
            files.append(one)
        return {"payload": json.dumps(files)}
