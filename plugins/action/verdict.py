"""Closes a run: writes every report and says by exit code what the report says at length (M5)."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from golive import report, secrets, session
from golive.canonical import utc
from golive.catalogue import PHASES
from golive.errors import GoliveError


class ActionModule(ActionBase):
    """Task `verdict:`; the last play, on the controller: 0 clean, 2 red, undecided or drift, 4 a host was not reached."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            return {**result, **self._close(task_vars)}
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _close(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        joined = session.join(task_vars)
        secrets.forget(task_vars, self._templar.template)
        run, mode = joined.run, joined.info["mode"]
        gates = [gate for phase in (*PHASES, "drift") if (gate := run.read(f"{phase}/gate.json")) is not None]
        verdicts = [one for gate in gates for one in gate["verdicts"]]
        red = [one for one in verdicts if one["verdict"] in ("fail", "undecided")]
        unreached = sorted({line["host"] for line in run.lines("hosts.jsonl") if line.get("status") == "unreachable"})
        changed = run.lines("changes.jsonl") if mode == "drift" else []
        reasons = [text for text in (f"{len(red)} controls are red or undecided" if red else "",
                                     f"{len(changed)} managed objects differ from code" if changed else "",
                                     f"not reached: {', '.join(unreached)}" if unreached else "") if text]
        exit_code = 4 if unreached else 2 if (mode == "drift" and (red or changed)) or any(not gate["open"] for gate in gates) else 0
        told = "; ".join(reasons) or "clean"
        run.write("finished.json", {"at": utc(), "result": told, "exit": exit_code})
        report.write(report.build(run.path), run.path)
        answer = {"changed": False, "result": told, "report": str(run.path.relative_to(session.ROOT) / "report.html")}
        if exit_code == 0 or mode == "check":  # a dry run tells, it never fails
            return answer
        return {**answer, "unreachable" if exit_code == 4 else "failed": True, "msg": f"{told}. Report: {answer['report']}"}
