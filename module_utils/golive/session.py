"""What every action of a run needs to know: where the repository is, which system, which run, which hosts. Controller only."""
from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import rundir
from .errors import GoliveError

ROOT = Path(__file__).resolve().parents[2]
CODE = ("golive.yml", "ansible.cfg", "module_utils", "library", "plugins", "playbooks", "roles", "controls", "checklists",
        "exchange_sandbox")


def system_of(inventory_sources: list[str] | tuple[str, ...]) -> str:
    """Return the system that an inventory file belongs to. Exactly one file, inventories/<system>/<name>.yml (M19)."""
    if len(inventory_sources) != 1:
        raise GoliveError("one inventory file is needed", found=", ".join(inventory_sources) or "none",
                          expected="-i inventories/<system>/lab.yml or production.yml")
    path = Path(inventory_sources[0])
    if path.is_dir():
        raise GoliveError("the inventory is a folder", where=str(path), expected="one file in it, lab.yml or production.yml",
                          todo="a folder would mix lab and production")
    if not path.is_file():
        raise GoliveError("there is no such inventory file", where=str(path), expected="-i inventories/<system>/lab.yml or production.yml")
    return path.resolve().parent.name


def reports_of(system: str) -> Path:
    """Return where the runs of a system are kept."""
    return ROOT / "reports" / system


@dataclass(frozen=True)
class Session:
    """The run that holds the lock of this system."""

    system: str
    run: rundir.RunDir
    info: dict[str, Any]

    @property
    def rehearsal(self) -> bool:
        """Return whether this run may only ever touch the rehearsal exchange."""
        return bool(self.info["rehearsal"])


def join(task_vars: Mapping[str, Any]) -> Session:
    """Return the run that this task belongs to. Raises GoliveError when no run really holds the lock or none was opened."""
    system = system_of([str(task_vars["inventory_file"])])
    run = rundir.current(reports_of(system))
    info = run.read("run.json")
    if info is None:
        raise GoliveError("this run was not opened", where=run.run, todo="start from golive.yml or a playbook of playbooks/operate")
    return Session(system, run, info)


def kind_of(groups: Mapping[str, list[str]]) -> str:
    """Return `rehearsal` or `production`: exactly one of the two groups has hosts (M19)."""
    filled = [name for name in ("rehearsal", "production") if groups.get(name)]
    if len(filled) == 1:
        return filled[0]
    if len(filled) == 2:
        raise GoliveError("hosts stand in both groups rehearsal and production", todo="an inventory file belongs to one of them")
    raise GoliveError("no host in group production", todo="fill in your hosts in the inventory file, as its comments show")


def code_files() -> dict[str, str]:
    """Return path -> sha256 (hex) of every file that decides what a run does, in the order in which they are digested."""
    found: dict[str, str] = {}
    for name in CODE:
        base = ROOT / name
        files = [base] if base.is_file() else sorted(p for p in base.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        found.update({str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files})
    return found


def code_digest() -> str:
    """Return the digest of golive itself: every file that decides what a run does, by path and content."""
    hasher = hashlib.sha256()
    for name, content in code_files().items():
        hasher.update(name.encode() + b"\0")
        hasher.update(bytes.fromhex(content))
    return "sha256:" + hasher.hexdigest()


def observe_here(plan: dict[str, Any], secrets: dict[str, str], python: str) -> list[dict[str, Any]]:
    """Run a plan on the controller, in a process of its own with a deadline of its own (M18), and return its answers."""
    payload = json.dumps({"plan": plan, "secrets": secrets}).encode("utf-8")
    try:
        done = subprocess.run([python, "-m", "golive.runner"], input=payload, capture_output=True, check=False, cwd=ROOT,
                              timeout=plan["deadline_s"] + 5)
    except subprocess.TimeoutExpired:
        raise GoliveError("the probes on the controller did not end in time") from None
    return answers(done.stdout.decode("utf-8", "replace"), plan["nonce"])


def answers(stdout: str, nonce: str) -> list[dict[str, Any]]:
    """Return the runner's answers out of what a host printed. Raises GoliveError when its line is not there or not JSON."""
    mark = f"--golive {nonce} "
    line = next((one for one in stdout.splitlines() if one.startswith(mark)), None)
    if line is None:
        raise GoliveError("the runner did not finish")
    try:
        found = json.loads(line[len(mark):])
    except ValueError:
        raise GoliveError("the runner's answer was cut") from None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def controls_of(run: rundir.RunDir, phase: str) -> dict[str, dict[str, Any]]:
    """Return the frozen controls that a phase observes; `drift` observes all that a scheduled run may ask."""
    controls: dict[str, dict[str, Any]] = run.need("compiled.json")["controls"]
    if phase == "drift":
        return {name: one for name, one in controls.items() if one["drift"]}
    return {name: one for name, one in controls.items() if one["phase"] == phase}
