"""incident: collects the first questions of an incident on the bot's host into one record of this run. Reads only."""
from __future__ import annotations

from typing import Any

from golive import session
from golive.operate import incident
from golive.operate.acting import OperateAction, Unreached

SPEC = {"instances": {"type": "list", "elements": "str", "default": ["shadow", "wire", "live"], "choices": ["shadow", "wire", "live"]},
        "topics": {"type": "list", "elements": "str", "default": sorted(incident.TOPICS), "choices": sorted(incident.TOPICS)},
        "prometheus_url": {"type": "str", "required": True}}


class ActionModule(OperateAction):
    """Task `incident:`; what could not be asked is called unknown, a host that does not answer as well. The same in a dry run."""

    def act(self, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec(SPEC)
        try:
            sections = self.on_host(incident, given, task_vars)["sections"]
        except Unreached as exc:
            sections = incident.nothing(given["instances"], given["topics"], str(exc)[:300])
        system = session.system_of([str(task_vars["inventory_file"])])
        record = incident.record(system, host, sections)
        # Of an instance that does not run there is one thing to say, not ten.
        unknown = [name for name in record["unknown"] if name.split(".")[0] not in record["not_running"]]
        return {"changed": False, "path": self.keep(f"incident/{host}.json", record, task_vars), "sections": sections,
                "unknown": unknown, "not_running": record["not_running"]}
