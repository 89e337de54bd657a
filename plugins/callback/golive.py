"""Narrates a run, holds its lock and records what changes. It owns nothing: reports are rebuilt from the run directory (M6)."""
from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars
from golive import bundle, report, rundir, saved_plan, session, unreached
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
        self._made: list[dict[str, Any]] = []
        self._incomplete = False
        self._to_write: Path | None = None
        self._plan: dict[str, Any] | None = None
        self._subject: dict[str, Any] = {}

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
            inventories = tuple(context.CLIARGS.get("inventory") or ()) or _default_inventory()
            system = session.system_of(inventories)
            reports = session.reports_of(system)
            self._subject = {"playbook": os.path.relpath(path, session.ROOT), "inventory": Path(inventories[0]),
                             "extra": load_extra_vars(playbook._loader)}
            self._take_plan(self._subject["extra"].get(saved_plan.VARIABLE), reports)
            # The lock comes first: a refused run leaves no directory behind.
            self._lock = rundir.lock(reports, {"pid": os.getpid(), "run": "being opened"}, shared=False)
            run = rundir.RunDir.create(reports)
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f'{{"pid": {os.getpid()}, "run": "{run.run}"}}'.encode(), 0)
            self._run, self._record = run, self._record or run.path / "changes.jsonl"
            if self._plan is not None:
                run.write(saved_plan.COPY, self._plan)
        except GoliveError as exc:
            self._display.error(str(exc), wrap_text=False)
            sys.exit(2)

    def _take_plan(self, asked: Any, reports: Path) -> None:
        """A dry run will write the plan; a real run loads it and finds code and reality as it says. Raises GoliveError."""
        if asked is None:
            return
        file = Path(str(asked)).absolute()
        if context.CLIARGS.get("check"):
            saved_plan.may_write(file)
            self._to_write = file
            return
        plan = saved_plan.load(file)
        words = saved_plan.moved_on(plan, **self._subject)
        if words:
            raise saved_plan.refuse("what the plan rests on has moved on, nothing was changed", words, str(asked))
        self._display.display(f"{asked}: {len(plan['changes'])} changes, planned {plan['at']}; a dry run compares")
        words = saved_plan.differences(plan, _predicted_now(), saved_plan.done_with(plan, reports))
        if words:
            raise saved_plan.refuse("reality has moved on since the plan was made, nothing was changed", words, str(asked))
        self._plan = plan

    # -- what happens -----------------------------------------------------------------------------------------------------
    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._phase = play.get_name().strip()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        # Read in this process, what probes declare is there in every worker forked from it; each would read it anew for its host.
        if task.action == "open_run":
            bundle.warm()

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
        self._tell_plan()
        for gate in self._gates:
            if "counts" in gate:
                counts = "  ".join(f"{word} {count}" for word, count in gate["counts"].items() if count)
                self._display.display(f"{gate['phase']:<10} {'open  ' if gate['open'] else 'CLOSED'}  {counts}")
                for line in gate["closing"] if not gate["open"] else []:
                    self._display.display(f"           {_printable(line)}")

    def _tell_plan(self) -> None:
        if self._plan is not None:
            made = {(one["host"], one["object"], one["op"]) for one in self._made}
            left = [one for one in self._plan["changes"] if (one["host"], one["object"], one["op"]) not in made]
            count = len(self._plan["changes"])
            self._display.display(f"saved plan: {count - len(left)} of {count} changes were made by this run, and no other")
        if self._to_write is None or self._run is None:
            return
        if self._incomplete or not (self._run.path / "finished.json").is_file():
            self._display.error(f"{self._to_write}: no plan was written, because the dry run is not whole; mend what failed, then run it "
                                "again", wrap_text=False)
            sys.exit(2)
        try:
            saved_plan.write(self._to_write, saved_plan.build(system=self._run.path.parent.name, run=self._run.run, changes=self._made,
                                                              **self._subject))
        except GoliveError as exc:
            self._display.error(str(exc), wrap_text=False)
            sys.exit(2)
        self._display.display(f"saved plan: {len(self._made)} changes in {self._to_write}")

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
        host, check = result.host.get_name(), bool(result.task.check_mode)
        kept = [{key: change.get(key) for key in ("object", "op", "before", "after")} for change in changes]
        for change in kept:
            self._append(self._record, {"host": host, "task": result.task.get_name(),
                                        "role": result.task._role.get_name() if result.task._role else None,
                                        "check": check, "at": utc(), **change})
        self._made += [{"host": host, **change} for change in kept if check == bool(context.CLIARGS.get("check"))]
        words = saved_plan.unplanned(self._plan, host, kept) if self._plan is not None and not check else []
        if words:
            # Set modules are asked before they act; what else changed something that nobody planned is the last thing of this run.
            self._display.error(str(saved_plan.refuse("this run made a change that the plan does not hold, and ended there", words,
                                                      str(self._subject["extra"][saved_plan.VARIABLE]))), wrap_text=False)
            self._report_if_broken_off()
            os._exit(2)

    def _host(self, result: Any, status: str) -> None:
        self._incomplete = True
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
    if len(context.CLIARGS.get("args") or ()) > 1:
        used.append("more than one playbook in a call")
    if used:
        raise GoliveError(f"{', '.join(used)} would walk around a gate",
                          todo="run the whole playbook; it is idempotent and resumes by itself")


def _predicted_now() -> list[dict[str, Any]]:
    """Return what the same command predicts in a dry run of its own. Raises GoliveError with its last words when it is not whole."""
    environment = {name: value for name, value in os.environ.items() if name != "GOLIVE_RECORD_CHANGES"}
    with tempfile.TemporaryDirectory(prefix="golive-plan-") as folder:
        file = Path(folder) / "now.json"
        done = subprocess.run([sys.executable, *sys.argv, "--check", "-e", f"{saved_plan.VARIABLE}={file}"], env=environment, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if done.returncode != 0 or not file.is_file():
            told = [line.strip() for line in done.stdout.splitlines() if "ERROR" in line or "fatal:" in line]
            raise GoliveError("the dry run that compares the plan with reality was not whole, nothing was changed",
                              found=_printable(told[-1]) if told else f"exit {done.returncode}",
                              todo="run it alone (--check) and mend what it names")
        changes: list[dict[str, Any]] = saved_plan.load(file)["changes"]
    return changes


def _default_inventory() -> tuple[str, ...]:
    return tuple(str(one) for one in constants.DEFAULT_HOST_LIST)


def _printable(text: str) -> str:
    """Return a text without terminal codes: what a probe returns is hostile."""
    return "".join(char if char.isprintable() else "?" for char in text)[:400]
