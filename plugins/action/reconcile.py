"""reconcile: holds an instance's ledger against the venue's own word, by a reader that is not the bot. Reads only."""
from __future__ import annotations

from typing import Any

from golive import acts, bundle, canonical, plan, rundir, secrets, session, way_back
from golive.canonical import utc
from golive.errors import GoliveError
from golive.operate import compare
from golive.operate.acting import OperateAction

SPEC = {"instance": {"type": "str", "required": True}, "path": {"type": "str", "required": True}, "url": {"type": "str", "required": True},
        "ca_file": {"type": "str", "required": True}, "credential": {"type": "str", "required": True, "no_log": False},
        "settle_s": {"type": "float", "required": True}, "window_s": {"type": "float", "required": True}}


class ActionModule(OperateAction):
    """Task `reconcile:`; fails unless every order, fill, fee and balance is equal. What cannot be known fails as well."""

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec(SPEC)
        instance, ask = given["instance"], {name: value for name, value in given.items() if name != "instance"}
        asked = compare.question(host, ask, rehearsal=session.kind_of(task_vars["groups"]) == "rehearsal")
        wanted = plan.secret_references(asked) | {given["credential"]}
        values = {one: secrets.resolve(one, task_vars, self._templar.template) for one in wanted}
        out = self.streamed(bundle.script(asked, values), task_vars)
        found = compare.verdict(session.answers(str(out["stdout"]), asked["nonce"]), instance)
        record = {"kind": "reconcile", "host": host, "instance": instance, "at": utc(), **found, "explanation": ""}
        path = self.keep(f"reconcile/{host}.{instance}.json", record, task_vars)
        if not self._task.check_mode:       # arming again behind a kill asks for this line
            run = rundir.current(session.reports_of(session.system_of([str(task_vars["inventory_file"])])))
            acts.note(run, way_back.RECONCILED, host, {
                "instance": instance, "equal": found["equal"], "differences": len(found["differences"]),
                "record": canonical.file_digest(str(session.ROOT / path))})
        if not found["equal"]:
            raise GoliveError(f"ledger and venue differ in {len(found['differences'])} points", where=instance,
                              found="; ".join(str(one) for one in found["differences"][:5])[:600],
                              todo=f"explain each in writing in {path}, and do not trade before")
        return {"changed": False, "path": path, **found}
