"""Judges a phase and stops the journey while something critical or high is red or unknown (M1). One task, a play of its own."""
from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from golive import acts, arming, gate, judge, report, secrets, session
from golive import record as run_record
from golive.canonical import file_digest, utc
from golive.catalogue import PHASES
from golive.errors import GoliveError


class ActionModule(ActionBase):
    """Task `gate:` with `phase`; writes <run>/<phase>/gate.json. In a dry run it only tells."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"phase": {"type": "str", "required": True}})
        try:
            return {**result, **self._gate(task_vars, arguments["phase"])}
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _gate(self, task_vars: dict[str, Any], phase: str) -> dict[str, Any]:
        joined = session.join(task_vars)
        run, info = joined.run, joined.info
        found = run_record.judged(run, info, phase)  # the same judging that whoever arms repeats
        earlier = [run.read(f"{name}/gate.json") for name in PHASES[: PHASES.index(phase)]] if phase in PHASES else []
        record = gate.record(phase, found, earlier, utc())
        path = run.write(f"{phase}/gate.json", record)
        if info["mode"] == "real":  # whoever arms compares: a gate record that was edited later is not the one written down here
            acts.note(run, arming.GATE_ACT, phase, {"digest": file_digest(str(path)), "open": record["open"]})
        counts = {verdict: sum(one["verdict"] == verdict for one in found) for verdict in judge.VERDICTS}
        told = {"changed": False, "path": str(path.relative_to(session.ROOT)), "phase": phase, "open": record["open"], "counts": counts,
                "until": record["until"], "closing": record["closing"][:20]}
        if record["open"] or info["mode"] != "real":
            return told
        run.write("finished.json", {"at": utc(), "result": f"gate {phase} is closed", "exit": 2})
        secrets.forget(task_vars, self._templar.template)
        where = str(run.path.relative_to(session.ROOT) / "report.html")
        try:
            report.write(report.build(run.path), run.path)
        except GoliveError as exc:  # the reason for the closed gate is told all the same
            where = f"not written ({exc})"
        more = len(record["closing"]) - 3
        text = "; ".join(record["closing"][:3]) + (f"; and {more} more" if more > 0 else "")
        wait = f" Earliest: {record['until']}." if record["until"] else ""
        return {**told, "failed": True, "msg": f"The gate of phase {phase} is closed: {text}.{wait} Report: {where}"}
