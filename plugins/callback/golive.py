"""Narrates a run, holds its lock and records what changes. It owns nothing: reports are rebuilt from the run directory (M6)."""
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from golive import report, rundir, session, unreached
from golive.canonical import utc
from golive.errors import GoliveError

DOCUMENTATION = """
    name: golive
    type: notification
    short_description: Narrator, run lock and change recorder of golive
    description: Takes the run lock before anything happens, refuses by-pass flags, records every change with its object.
"""
BYPASS = {"subset": "--limit", "start_at_task": "--start-at-task", "step": "--step", "skip_tags": "--skip-tags"}
# Stock modules name what they changed by these arguments; nothing else of a task is ever read, because it may be a secret (M10).
IDENTITY = {"ansible.builtin.file": "path", "ansible.builtin.copy": "dest", "ansible.builtin.template": "dest",
            "ansible.builtin.systemd_service": "name", "ansible.builtin.apt": "name"}


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """See DOCUMENTATION. Playbooks outside golive.yml and playbooks/ (molecule's) are only recorded, where asked."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "golive"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._run: rundir.RunDir | None = None
        self._record: Path | None = None
        self._lock: int | None = None
        self._phase = "start"
        self._gates: list[dict[str, Any]] = []

    # -- before anything happens ------------------------------------------------------------------------------------------
    def v2_playbook_on_start(self, playbook: Any) -> None:
        path = Path(str(playbook._file_name)).resolve()
        asked = os.environ.get("GOLIVE_RECORD_CHANGES")
        self._record = Path(asked) if asked else None
        ours = path == session.ROOT / "golive.yml" or session.ROOT / "playbooks" in path.parents
        if not ours or path.name == "kill_switch.yml":  # the kill takes no lock and waits for nothing
            return
        try:
            _refuse_bypass()
            system = session.system_of(tuple(context.CLIARGS.get("inventory") or ()) or _default_inventory())
            reports = session.reports_of(system)
            # The lock comes first: a refused run leaves no directory behind.
            self._lock = rundir.lock(reports, {"pid": os.getpid(), "run": "being opened"}, shared=False)
            run = rundir.RunDir.create(reports)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f'{{"pid": {os.getpid()}, "run": "{run.run}"}}'.encode(), 0)
            self._run, self._record = run, self._record or run.path / "changes.jsonl"
        except GoliveError as exc:
            self._display.error(str(exc), wrap_text=False)
            sys.exit(2)

    # -- what happens -----------------------------------------------------------------------------------------------------
    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._phase = play.get_name().strip()

    def v2_runner_on_ok(self, result: Any) -> None:
        if not result.task.loop:  # a loop is recorded item by item; its summary would count twice (M9)
            self._changes(result)
        if result.task.action == "gate":
            self._gates.append(dict(result.result))

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._changes(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._changes(result)
        if result.task.action == "gate":
            self._gates.append(dict(result.result))
        if not ignore_errors:
            self._host(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._host(result, "unreachable")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._report_if_broken_off()
        for gate in self._gates:
            if "counts" in gate:
                counts = "  ".join(f"{word} {count}" for word, count in gate["counts"].items() if count)
                self._display.display(f"{gate['phase']:<10} {'open  ' if gate['open'] else 'CLOSED'}  {counts}")
                for line in gate["closing"] if not gate["open"] else []:
                    self._display.display(f"           {_printable(line)}")

    def _report_if_broken_off(self) -> None:
        """A run that ended in a role never came to its last play; its report is written here, and says so."""
        if self._run is None or not (self._run.path / "run.json").is_file() or (self._run.path / "finished.json").is_file():
            return
        try:
            report.write(report.build(self._run.path), self._run.path)
        except GoliveError as exc:
            self._display.warning(f"no report: {exc}")

    # -- records ----------------------------------------------------------------------------------------------------------
    def _changes(self, result: Any) -> None:
        data = result.result
        if self._record is None or not data.get("changed"):
            return
        changes = data.get("changes")
        if not isinstance(changes, list):
            name = IDENTITY.get(result.task.resolved_action or result.task.action)
            value = result.task_fields.get("args", {}).get(name) if name else None
            changes = [{"object": f"{result.task.action}:{value}" if value else f"unnamed:{result.task.get_name()}", "op": "change"}]
        for change in changes:
            kept = {key: change.get(key) for key in ("object", "op", "before", "after")}
            self._append(self._record, {"host": result.host.get_name(), "task": result.task.get_name(),
                                        "role": result.task._role.get_name() if result.task._role else None,
                                        "check": bool(result.task.check_mode), "at": utc(), **kept})

    def _host(self, result: Any, status: str) -> None:
        if self._run is not None:
            text = "" if result.task.no_log else str(result.result.get("msg", ""))[:2000]
            text = unreached.why(text) if status == "unreachable" else text[:500]
            self._append(self._run.path / "hosts.jsonl", {"host": result.host.get_name(), "status": status, "phase": self._phase,
                                                          "task": result.task.get_name(), "text": text, "at": utc()})

    def _append(self, path: Path, record: dict[str, Any]) -> None:
        try:
            rundir.append_line(path, record)
        except OSError as exc:
            # A change that cannot be recorded must not look like no change: the run ends here.
            self._display.error(f"{path.name}: cannot be written, found {exc.strerror}; free space on the controller and run again",
                                wrap_text=False)
            os._exit(2)


def _refuse_bypass() -> None:
    used = [flag for name, flag in BYPASS.items() if context.CLIARGS.get(name)]
    tags = tuple(context.CLIARGS.get("tags") or ())
    if tags not in {(), ("all",)}:
        used.append("--tags")
    if used:
        raise GoliveError(f"{', '.join(used)} would walk around a gate",
                          todo="run the whole playbook; it is idempotent and resumes by itself")


def _default_inventory() -> tuple[str, ...]:
    return tuple(str(one) for one in constants.DEFAULT_HOST_LIST)


def _printable(text: str) -> str:
    """Return a text without terminal codes: what a probe returns is hostile."""
    return "".join(char if char.isprintable() else "?" for char in text)[:400]
