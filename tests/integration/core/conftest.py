"""A miniature of the project for journey tests: the real code, a catalogue of its own, hosts that are this machine."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COPIED = ("ansible.cfg", "golive.yml", "library", "module_utils", "playbooks", "plugins", "roles")
PHASES = ("preflight", "provision", "deploy", "verify", "paper", "signoff", "live", "operate")
SAMPLE_PROBE = '''"""sample: a file that the test controls."""
from __future__ import annotations
from ..errors import Undecided
WITNESS = "kernel"
DEADLINE_S = 30
ASK = {"path": "str; required; a file with a number in it"}
FACTS = {"number": "int; what stands in the file"}
def observe(ask, look):
    try:
        with open(ask["path"]) as handle:
            return {"number": handle.read().strip(), "undeclared": "never kept"}
    except FileNotFoundError:
        raise Undecided("there is no such file")
'''


@dataclass
class Mini:
    """A checkout in miniature; `numbers` is the folder whose files the sample probe reads."""

    path: Path
    numbers: Path
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    controls: dict[str, dict[str, Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=lambda: {"number_max": 10})

    def number(self, name: str, value: Any) -> str:
        (self.numbers / name).write_text(str(value))
        return str(self.numbers / name)

    def control(self, name: str, phase: str, **changes: Any) -> None:
        self.controls[name] = {
            "title": f"{name} holds", "severity": "critical", "phase": phase, "seen_from": "target", "probe": "sample",
            "ask": {"path": self.number(name, 5)}, "expect": {"number": {"lt": "$number_max"}}, "witness": ["kernel"],
            "remedy": "operator", "how": "Write a smaller number.", "faults": ["number_too_large"], **changes}

    def write(self) -> None:
        groups = {"controller": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}, **self.hosts}
        names = {name: {} for name in self.hosts}
        inventory = {"all": {"children": {"rehearsal": {"hosts": groups}, "production": {}, "bots": {"hosts": names},
                                          "outsiders": {"hosts": names}, "targets": {"hosts": names}, "venues": {}, "stores": {},
                                          "guards": {}, "kill_machines": {}}}}
        files = {"inventories/slice/lab.yml": inventory, "inventories/slice/group_vars/all/profile.yml": self.variables,
                 "controls/sample.yml": self.controls,
                 "checklists/slice.yml": [{"section": "All", "items": [{"text": "everything holds", "seed": ["slice-001"],
                                                                        "controls": sorted(self.controls)}]}]}
        for name, data in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(yaml.safe_dump(data))
        (self.path / "checklists/seeds").mkdir(exist_ok=True)
        (self.path / "checklists/seeds/slice.tsv").write_text("id\tline\ttext\nslice-001\t1\teverything holds\n")

    def command(self, *arguments: str, playbook: str = "golive.yml") -> list[str]:
        return [str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", "inventories/slice/lab.yml", *arguments]

    def environment(self, **changes: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GOLIVE_"))}
        return {**kept, "PYTHONPATH": f"{self.path}/module_utils", "ANSIBLE_CONFIG": f"{self.path}/ansible.cfg", "ANSIBLE_NOCOLOR": "1",
                "COLUMNS": "500", **changes}

    def run(self, *arguments: str, playbook: str = "golive.yml", write: bool = True,
            **environment: str) -> subprocess.CompletedProcess[str]:
        if write:
            self.write()
        return subprocess.run(self.command(*arguments, playbook=playbook), cwd=self.path, text=True, capture_output=True, check=False,
                              timeout=240, env=self.environment(**environment))

    def latest(self, name: str) -> Any:
        return json.loads((self.path / "reports/slice/latest" / name).read_text())

    def runs(self) -> list[str]:
        folder = self.path / "reports/slice"
        return sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.is_symlink()) if folder.is_dir() else []


@pytest.fixture
def mini(tmp_path: Path) -> Mini:
    path = tmp_path / "checkout"
    path.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy(source, path / name)
    for phase in PHASES:  # the phases of the miniature build nothing; they look and judge
        (path / f"playbooks/{phase}.yml").write_text(yaml.safe_dump([
            {"name": f"Look for {phase}", "hosts": "targets:controller", "gather_facts": False,
             "tasks": [{"name": "Observe", "observe": {"phase": phase}}]},
            {"name": f"Judge {phase}", "hosts": "controller", "gather_facts": False,
             "tasks": [{"name": "Gate", "gate": {"phase": phase}}]}]))
    (path / "module_utils/golive/probes/sample.py").write_text(SAMPLE_PROBE)
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    local = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    mini = Mini(path, numbers, {"alpha": dict(local), "beta": dict(local)})
    for phase in PHASES:
        mini.control(f"{phase}.seen", phase, seen_from="controller", on="controller", severity="low")
    mini.control("first.holds", "preflight")
    mini.control("middle.holds", "verify", seen_from="outside")
    mini.control("last.holds", "live", seen_from="controller", on="controller")
    return mini
