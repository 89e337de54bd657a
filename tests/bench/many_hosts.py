"""1,000 hosts, 300 controls each: what opening a run, observing and judging costs the controller, and where its time goes.

    python -m tests.bench.many_hosts [--hosts 1000] [--checks 300] [--profile] [--write]

Simulated are the hosts: a connection plugin in the controller's own process takes the script that would go over ssh, reads the plan out of
it and answers each question as the probe would (facts by which the control is green). Real is everything else: Ansible with the project's
settings, the plan, the script with its sources, the answers' reading, the run directory, the judge and the gate. So it leaves out ssh
(about 40 ms of CPU a host for the first connection) and what a host itself needs (`tests.bench.observe` measures that).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import platform
import pstats
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.bench.tables import put, show
from tests.integration.core.conftest import COPIED, ROOT

CONNECTION = '''"""simulated: answers a plan as a green host would, in this process."""
import ast, json, os
from ansible.plugins.connection import ConnectionBase
DOCUMENTATION = """
    name: simulated
    short_description: no host at all
    description: Answers golive's plans.
    options: {}
"""
with open(os.environ["GOLIVE_BENCH_FACTS"], encoding="utf-8") as handle:
    FACTS = json.load(handle)
class Connection(ConnectionBase):
    transport = "simulated"
    has_pipelining = True
    def _connect(self):
        return self
    def exec_command(self, cmd, in_data=None, sudoable=True):
        if not in_data:
            return 0, b"", b""
        tree = ast.parse(in_data)
        text = max((n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)), key=len)
        plan = json.loads(text)["plan"]
        answers = [{"id": one["id"], "at": "%s", "took_ms": 1, "facts": FACTS[one["controls"][0]["control"]], "witness": "kernel",
                    "opportunities": 1, "undecided": None, "until": None} for one in plan["probes"]]
        return 0, ("--golive %%s %%s\\n" %% (plan["nonce"], json.dumps(answers))).encode(), b""
    def put_file(self, in_path, out_path): raise NotImplementedError
    def fetch_file(self, in_path, out_path): raise NotImplementedError
    def close(self): pass
'''


def checkout(path: Path, hosts: int, checks: int) -> None:
    """Make a checkout in miniature with a catalogue of `checks` controls about files, and an inventory of `hosts` simulated hosts."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, path / name)
    names = {f"h{number:04}": {} for number in range(hosts)}
    controls: dict[str, dict[str, Any]] = {
        f"file.n{number}": {
            "title": f"file {number}",
            "severity": "low",
            "phase": "preflight",
            "seen_from": "target",
            "probe": "file",
            "ask": {"path": f"/etc/bench/{number}.conf"},
            "expect": {"mode": "$bench_mode", "owner": "root"},
            "witness": ["kernel"],
            "remedy": "operator",
            "how": "Look.",
            "faults": ["none"],
        }
        for number in range(checks)
    }
    facts = {name: {"exists": True, "mode": "0640", "owner": "root", "group": "root", "size": 10} for name in controls}
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    look = [
        {"import_playbook": "open.yml"},
        {"hosts": "targets", "gather_facts": False, "tasks": [{"name": "Observe", "observe": {"phase": "preflight"}}]},
        {"hosts": "controller", "gather_facts": False, "tasks": [{"name": "Gate", "gate": {"phase": "preflight"}}]},
    ]
    files: Mapping[str, Any] = {
        "inventories/bench/lab.yml": {
            "all": {
                "hosts": {"controller": local},
                "children": {
                    "rehearsal": {"hosts": {**names, "controller": {}}},
                    "bots": {"hosts": names},
                    "targets": {"hosts": names, "vars": {"ansible_connection": "simulated"}},
                    **{group: {} for group in ("production", "outsiders", "venues", "stores", "guards", "kill_machines", "drift_runners")},
                },
            }
        },
        "inventories/bench/group_vars/all/bench.yml": {"bench_mode": "0640"},
        "controls/bench.yml": controls,
        "checklists/bench.yml": [{"section": "All", "items": [{"text": "all", "seed": ["bench-001"], "controls": sorted(controls)}]}],
        "checklists/seeds/bench.tsv": "id\tline\ttext\nbench-001\t1\tall\n",
        "facts.json": json.dumps(facts),
        "plugins/connection/simulated.py": CONNECTION % time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)),
        "playbooks/observe.yml": look,
        "ping.yml": [
            {
                "hosts": "targets",
                "gather_facts": False,
                "tasks": [{"name": "Nothing", "ansible.builtin.raw": "true", "changed_when": False}],
            }
        ],
    }
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False, width=10000))


def run(path: Path, playbook: str) -> tuple[float, float]:
    """Run a playbook; return wall and CPU seconds of the controller with its workers."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GOLIVE_"))}
    environment = {
        **kept,
        "PYTHONPATH": f"{path}/module_utils",
        "ANSIBLE_CONFIG": str(path / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_CONNECTION_PLUGINS": str(path / "plugins/connection"),
        "GOLIVE_BENCH_FACTS": str(path / "facts.json"),
    }
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", "inventories/bench/lab.yml"],
        cwd=path,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"bench: {playbook} did not end well: {done.stdout[-1500:]}{done.stderr[-800:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def all_seen(path: Path, hosts: int, checks: int) -> None:
    """Insist that every control of every host was judged, and green."""
    verdicts = json.loads((path / "reports/bench/latest/preflight/gate.json").read_text())["verdicts"]
    green = sum(one["verdict"] == "pass" for one in verdicts)
    if green != hosts * checks:
        raise SystemExit(f"bench: {green} of {hosts * checks} are green: {next(one for one in verdicts if one['verdict'] != 'pass')}")


def where_time_goes(path: Path, hosts: int) -> list[tuple[str, str]]:
    """Profile one host's share of the observing action and the whole gate in this process; return the largest parts."""
    sys.path.insert(0, str(path / "module_utils"))
    from golive import bundle, gate, plan

    folder = (path / "reports/bench/latest").resolve()
    compiled = json.loads((folder / "compiled.json").read_text())["controls"]
    info = json.loads((folder / "run.json").read_text())
    profiler = cProfile.Profile()
    profiler.enable()
    for number in range(20):
        host = f"h{number:04}"
        wanted = plan.targets(compiled, info["groups"], host)
        bundle.script(plan.build("r", "preflight", host, wanted, compiled, info["addresses"], rehearsal=True), {})
    profiler.disable()
    rows = []
    judging = cProfile.Profile()
    expected = plan.targets(compiled, info["groups"])
    found = [seen for kept in sorted((folder / "preflight").glob("h*.json")) for seen in json.loads(kept.read_text())["observations"]]
    judging.enable()
    gate.verdicts(compiled, expected, found, info["run"], rehearsal=True)
    judging.disable()
    for what, one, share in (("observe, one host", profiler, 20), ("gate, all hosts", judging, 1)):
        stats: Any = pstats.Stats(one)
        total = stats.total_tt
        top = sorted(((took, place) for place, (_, _, took, _, _) in stats.stats.items()), reverse=True)[:4]
        words = "; ".join(f"{Path(place[0]).name}:{place[2]} {100 * took / total:.0f} %" for took, place in top)
        rows.append((what, f"{total / share * 1000:.0f} ms: {words}"))
    return rows


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.many_hosts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--checks", type=int, default=300)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/performance.md")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="golive-many-") as folder:
        path = Path(folder) / "checkout"
        path.mkdir()
        checkout(path, chosen.hosts, chosen.checks)
        bare = run(path, "ping.yml")
        took = run(path, "playbooks/observe.yml")
        all_seen(path, chosen.hosts, chosen.checks)
        parts = where_time_goes(path, chosen.hosts) if chosen.profile or chosen.write else []
    rows = [
        ("Ansible alone: one `raw` task a host", f"{bare[0]:.1f}", f"{bare[1]:.1f}", f"{1000 * bare[1] / chosen.hosts:.0f}"),
        (
            f"golive: open, observe {chosen.checks} controls a host, judge",
            f"{took[0]:.1f}",
            f"{took[1]:.1f}",
            f"{1000 * took[1] / chosen.hosts:.0f}",
        ),
    ]
    tables: list[Any] = [(("case", "wall s", "controller CPU s", "CPU ms a host"), rows)]
    if parts:
        tables.append((("part", "where its time goes"), parts))
    show(tables)
    if chosen.write:
        text = (
            f"{chosen.hosts} hosts simulated by a connection plugin in the controller's processes (no ssh, no work on a host), "
            f"{chosen.checks} controls each, all judged; {os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} "
            "at the end. `python -m tests.bench.many_hosts --write`."
        )
        put("many_hosts", f"{chosen.hosts} hosts", text, tables)
    return 0


if __name__ == "__main__":
    sys.exit(main())
