"""collect_evidence: in a rehearsal, and only there, the lab's own CI runs the stand-in bot's suites and signs what it found."""
from __future__ import annotations

import subprocess
from typing import Any

from golive import session
from golive.errors import GoliveError
from golive.money import MoneyAction
from golive.rehearsal import bot_ci


class ActionModule(MoneyAction):
    """Task `collect_evidence:` with `kind: ci` and `suites`; signs into evidence_directory what has no young record there."""

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        del host, task_vars
        _, given = self.validate_argument_spec({"kind": {"choices": ["ci"], "required": True},
                                                "suites": {"type": "list", "elements": "str", "default": list(bot_ci.SUITES)}})
        if not joined.rehearsal:
            raise GoliveError("golive issues no evidence in production", where=given["kind"],
                              todo="the bot's own CI signs with its own key: docs/how-to/attest.md")
        unknown = sorted(set(given["suites"]) - set(bot_ci.SUITES))
        if unknown:
            raise GoliveError("no such suite", found=", ".join(unknown), expected=", ".join(bot_ci.SUITES))
        profile, dry = self.profile_of(joined), bool(self._task.check_mode)
        directory = session.ROOT / str(profile["evidence_directory"])
        if not dry:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            done = bot_ci.run(session.ROOT, joined.system, given["suites"], directory, str(profile["bot_commit"]), dry=dry)
        except (OSError, subprocess.SubprocessError) as exc:
            raise GoliveError("the rehearsal's CI did not run to its end", found=type(exc).__name__) from None
        changes = [one.change() for one in done if one.op in ("create", "carry")]
        return {"changed": bool(changes), "changes": changes, "told": [f"{one.suite}: {one.text}" for one in done]}
