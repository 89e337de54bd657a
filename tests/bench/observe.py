"""300 controls on one lab host: golive against a ping, against goss and against one Ansible task a check, side by side in each round.

    python -m tests.bench.observe [--checks 300] [--rounds 5] [--plain-rounds 1] [--write]

The checks are the same for every tool and all different from one another: of 100, 20 look at mode and owner of a file, 20 at a line of a
file, 20 at a kernel value, 10 at a service, 10 at a port, 10 at what a command answers, 10 at a web page. Each tool runs through Ansible
over ssh with a cold connection; rounds are interleaved in random order. Wall seconds, and CPU seconds of the target's container.
No other tool binds its checks to a frozen profile, compiles them, keeps what it saw and reports it. So two figures are given: the whole
of a run, and its observation alone: the whole less a run that only opens and reports, plus Ansible's own start. The ratios asked for are
those of the observation; those of the whole stand beside them. The ratios are medians of the ratios of one round. Exit 1 when a ratio is
worse than the journey issue asks.
`--write` puts the table into docs/explanation/performance.md. The idea of the mix and the peers: the project's performance facts.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from golive.lab.apt_sources import mirror_of_this_machine
from golive.lab.image import SUITE

from tests.bench.tables import landed, put, show
from tests.integration.core.conftest import COPIED, ROOT

KINDS = {"mode": 20, "line": 20, "kernel": 20, "service": 10, "port": 10, "command": 10, "page": 10}
HOST, LAB, NETWORK, ADDRESS = "subject", "bench", "172.30.88.0/24", "172.30.88.21"
TUNED = """[defaults]
gathering = explicit
interpreter_python = /usr/bin/python3
forks = 32
internal_poll_interval = 0.02
host_key_checking = True
[connection]
pipelining = True
[ssh_connection]
ssh_args = -o ControlMaster=auto -o ControlPersist=60s
"""
SHIPPED = "[defaults]\nhost_key_checking = True\ninterpreter_python = /usr/bin/python3\n"
LIMITS = {"observation / ping": 1.25, "observation / goss": 0.8, "observation / plain tasks": 1 / 50, "target CPU, golive / goss": 0.5}
PREPARE = """set -eu
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d
apt-get install -y -qq --no-install-recommends /opt/bench/*.deb >/dev/null
rm -f /usr/sbin/policy-rc.d /etc/nginx/sites-enabled/default
mkdir -p /etc/bench /var/www/bench
n=$1
for i in $(seq 0 $((n * 2 / 10 - 1))); do
  for kind in mode line; do
    printf '# file\\nlisten_port = 8%s\\nssl = on\\n' $i > /etc/bench/$kind$i.conf; chmod 0640 /etc/bench/$kind$i.conf
  done
done
for i in $(seq 0 $((n / 10 - 1))); do
  echo "status: ok $i" > /var/www/bench/h$i.txt
  printf '[Service]\\nExecStart=/bin/sleep infinity\\n' > /etc/systemd/system/bench$i.service
  echo "server { listen $((8100 + i)); root /var/www/bench; access_log off; }"
done > /etc/nginx/conf.d/bench.conf
sed -i 's/^worker_processes.*/worker_processes 1;/' /etc/nginx/nginx.conf
systemctl daemon-reload; systemctl restart nginx
systemctl start $(seq -f 'bench%g.service' 0 $((n / 10 - 1)))
"""


@dataclass(frozen=True)
class Check:
    """One check in the words of each tool: a control, goss's (section, entry), and the task."""

    control: dict[str, Any]
    goss: tuple[str, dict[str, Any]]
    task: dict[str, Any]


def checks(count: int, kernel: dict[str, str]) -> dict[str, Check]:
    """Return `count` different checks by name."""
    made: dict[str, Check] = {}
    keys = list(kernel)
    for kind, share in KINDS.items():
        for i in range(count * share // 100):
            made[f"{kind}.n{i}"] = _BUILDERS[kind](i, (keys[i], kernel[keys[i]]) if kind == "kernel" else ("", ""))
    return made


def _mode(i: int, _kernel: tuple[str, str]) -> Check:
    path = f"/etc/bench/mode{i}.conf"
    return Check(
        {"probe": "file", "ask": {"path": path}, "expect": {"mode": "$bench_mode", "owner": "root"}},
        ("file", {"path": path, "exists": True, "mode": "0640", "owner": "root"}),
        {
            "ansible.builtin.stat": {"path": path, "get_checksum": False},
            "register": "r",
            "failed_when": "not r.stat.exists or r.stat.mode != '0640' or r.stat.pw_name != 'root'",
        },
    )


def _line(i: int, _kernel: tuple[str, str]) -> Check:
    path, pattern = f"/etc/bench/line{i}.conf", f"^listen_port = 8{i}$"
    return Check(
        {"probe": "file", "ask": {"path": path, "content_matches": pattern}, "expect": {"matches": 1}},
        ("file", {"path": path, "exists": True, "contents": [f"/(?m){pattern}/"]}),
        {
            "ansible.builtin.slurp": {"path": path},
            "register": "r",
            "failed_when": f"(r.content | b64decode) is not search('(?m){pattern}')",
        },
    )


def _kernel(_i: int, kernel: tuple[str, str]) -> Check:
    key, value = kernel
    path, pattern = "/proc/sys/" + key.replace(".", "/"), "^" + r"\s+".join(value.split()) + "$"
    return Check(
        {"probe": "file", "ask": {"path": path, "content_matches": pattern}, "expect": {"matches": 1}},
        ("kernel-param", {"name": key, "value": value}),
        {
            "ansible.builtin.command": {"argv": ["sysctl", "-n", key]},
            "register": "r",
            "changed_when": False,
            "failed_when": f"r.stdout.split() != {value.split()!r}",
        },
    )


def _service(i: int, _kernel: tuple[str, str]) -> Check:
    return Check(
        {"probe": "process", "ask": {"unit": f"bench{i}.service"}, "expect": {"running": True}},
        ("service", {"name": f"bench{i}", "running": True}),
        {"ansible.builtin.command": {"argv": ["systemctl", "is-active", f"bench{i}.service"]}, "changed_when": False},
    )


def _port(i: int, _kernel: tuple[str, str]) -> Check:
    return Check(
        {"probe": "port_reachable_from", "ask": {"address": "127.0.0.1", "ports": [8100 + i]}, "expect": {"open": {"len": 1}}},
        ("addr", {"address": f"tcp://127.0.0.1:{8100 + i}", "reachable": True, "timeout": 2000}),
        {"ansible.builtin.wait_for": {"port": 8100 + i, "host": "127.0.0.1", "timeout": 2}},
    )


def _command(i: int, _kernel: tuple[str, str]) -> Check:
    return Check(
        {"probe": "command", "ask": {"argv": ["echo", f"ok {i}"]}, "expect": {"rc": 0, "first_line": f"ok {i}"}},
        ("command", {"exec": f"echo ok {i}", "exit-status": 0, "stdout": [f"/^ok {i}$/"]}),
        {
            "ansible.builtin.command": {"argv": ["echo", f"ok {i}"]},
            "register": "r",
            "changed_when": False,
            "failed_when": f"r.rc != 0 or r.stdout != 'ok {i}'",
        },
    )


def _page(i: int, _kernel: tuple[str, str]) -> Check:
    url = f"http://127.0.0.1:{8100 + i}/h{i}.txt"
    return Check(
        {"probe": "http", "ask": {"url": url, "contains": f"status: ok {i}"}, "expect": {"status": 200, "contains": True}},
        ("http", {"url": url, "status": 200, "body": [f"status: ok {i}"]}),
        {
            "ansible.builtin.uri": {"url": url, "return_content": True, "status_code": 200},
            "register": "r",
            "failed_when": f"r.status != 200 or 'status: ok {i}' not in r.content",
        },
    )


_BUILDERS: dict[str, Callable[[int, tuple[str, str]], Check]] = {
    "mode": _mode,
    "line": _line,
    "kernel": _kernel,
    "service": _service,
    "port": _port,
    "command": _command,
    "page": _page,
}


class Bench:
    """A miniature checkout with a lab host of its own, and the four ways to look at that host."""

    def __init__(self, path: Path, count: int) -> None:
        self.path, self.count = path, count
        self.inventory = path / "inventories/bench/lab.yml"
        path.mkdir()
        for name in (*COPIED, "molecule"):
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, path / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, path / name)
        self._file(
            "inventories/bench/lab.yml",
            {
                "all": {
                    "hosts": {"controller": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
                    "children": {
                        "rehearsal": {
                            "hosts": {HOST: {"ansible_host": ADDRESS}, "controller": {}},
                            "vars": {"lab_network": NETWORK, "lab_name": LAB},
                        },
                        **{group: {"hosts": {HOST: {}}} for group in ("bots", "targets")},
                        **{key: {} for key in ("production", "outsiders", "venues", "stores", "guards", "kill_machines", "drift_runners")},
                    },
                }
            },
        )
        self._file("inventories/bench/group_vars/all/bench.yml", {"bench_mode": "0640"})
        shutil.copytree(ROOT / "molecule/lab/inventory/group_vars/rehearsal", path / "inventories/bench/group_vars/rehearsal")

    def _file(self, name: str, data: Any) -> Path:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False, width=10000))
        return target

    def lab(self, *words: str) -> str:
        act, *rest = words
        done = subprocess.run(
            [sys.executable, "-m", "golive.lab", act, "-i", str(self.inventory), *rest],
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"bench: {done.stdout}{done.stderr}")
        return done.stdout

    def prepare(self) -> None:
        """Make host, objects and the same checks for every tool."""
        host = docker.from_env().containers.get(self.container)
        self.lab("exec", HOST, "--", "mkdir", "-p", "/opt/bench")
        host.put_archive("/opt/bench", _packages(host, "nginx-light", "goss"))
        self.lab("exec", HOST, "--", "bash", "-c", PREPARE, "prepare", str(self.count))
        listed = self.lab("exec", HOST, "--", "sysctl", "-a").splitlines()
        pairs = (line.split(" = ", 1) for line in listed if line.startswith(("net.ipv4.conf", "net.ipv6.conf")) and " = " in line)
        kernel = {key: value for key, value in pairs if value.strip()}
        made = checks(self.count, kernel)
        common = {
            "severity": "low",
            "phase": "verify",
            "seen_from": "target",
            "witness": ["kernel"],
            "remedy": "operator",
            "how": "Look.",
            "faults": ["none"],
        }
        controls = {name: {"title": name, **common, **one.control} for name, one in made.items()}
        self._file("controls/bench.yml", controls)
        item = {"text": "all", "seed": ["bench-001"], "controls": sorted(controls)}
        self._file("checklists/bench.yml", [{"section": "All", "items": [item]}])
        self._file("checklists/seeds/bench.tsv", "id\tline\ttext\nbench-001\t1\tall\n")
        goss: dict[str, dict[str, Any]] = {}
        for name, one in made.items():
            section, entry = one.goss
            key = entry.pop("address", None) or (name if section != "service" else entry["name"])
            goss.setdefault(section, {})[key] = entry
        target = self._file("goss.yaml", yaml.safe_dump(goss, width=10000))
        tasks = [{"name": name, **one.task} for name, one in made.items()]
        plays = {
            "start": [{"name": "Nothing", "ansible.builtin.meta": "noop"}],
            "ping": [{"name": "Ping", "ansible.builtin.ping": {}}],
            "plain": tasks,
            "goss": [
                {
                    "name": "goss",
                    "changed_when": False,
                    "ansible.builtin.command": {"argv": ["goss", "-g", "/etc/bench/goss.yaml", "validate", "--format", "json"]},
                }
            ],
        }
        for name, work in plays.items():
            self._file(f"{name}.yml", [{"hosts": "targets", "become": True, "gather_facts": name == "plain", "tasks": work}])
        look = [
            {"import_playbook": "open.yml"},
            {
                "hosts": "targets",
                "become": True,
                "gather_facts": False,
                "tasks": [{"name": "Observe", "observe": {"phase": "verify"}}],
            },
        ]
        self._file("playbooks/observe.yml", look)  # a run is opened by golive.yml and by playbooks in this folder only
        self._file("tuned.cfg", TUNED)
        self._file("shipped.cfg", SHIPPED)
        host.put_archive("/etc/bench", _tar({"goss.yaml": target.read_bytes()}))

    @property
    def container(self) -> str:
        return f"golive-{LAB}-{HOST}"

    def cpu(self) -> float:
        """CPU seconds that the host's container has used, as the kernel counts them; the engine's own figures may be seconds old."""
        number = docker.from_env().containers.get(self.container).id
        old = Path(f"/sys/fs/cgroup/cpuacct/docker/{number}/cpuacct.usage")
        if old.is_file():
            return int(old.read_text()) / 1e9
        new = next(Path("/sys/fs/cgroup").glob(f"**/*{number}*/cpu.stat"))
        return int(dict(line.split() for line in new.read_text().splitlines())["usage_usec"]) / 1e6

    def run(self, case: str) -> tuple[float, float]:
        """Run a case once with a cold connection; return wall and target CPU seconds. It must have seen everything as it is."""
        config = {"golive": "ansible.cfg", "open": "ansible.cfg", "plain": "shipped.cfg"}.get(case, "tuned.cfg")
        playbook = {"golive": "playbooks/observe.yml", "open": "playbooks/open.yml"}.get(case, f"{case}.yml")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GOLIVE_"))}
        before, began = self.cpu(), time.monotonic()
        with tempfile.TemporaryDirectory(prefix="b") as sockets:
            environment = {
                **kept,
                "PYTHONPATH": f"{self.path}/module_utils",
                "ANSIBLE_CONFIG": str(self.path / config),
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": sockets,
            }
            command = [str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", str(self.inventory)]
            done = subprocess.run(command, cwd=self.path, env=environment, text=True, capture_output=True, check=False)
            wall, used = time.monotonic() - began, self.cpu() - before
            for one in Path(sockets).iterdir():
                subprocess.run(["ssh", "-o", f"ControlPath={one}", "-O", "exit", "none"], capture_output=True, check=False)
        if done.returncode != 0 or "failed=1" in done.stdout:
            raise SystemExit(f"bench: {case} did not end well: {done.stdout[-1500:]}{done.stderr[-500:]}")
        if case == "golive":
            self._all_seen()
        return wall, used

    def _all_seen(self) -> None:
        run = self.path / "reports/bench/latest"
        found = json.loads((run / f"verify/{HOST}.json").read_text())["observations"]
        lost = [one["control"] for one in found if one["undecided"]]
        if len(found) != self.count or lost:
            raise SystemExit(f"bench: golive saw {len(found)} of {self.count}, undecided: {lost[:5]}")


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _packages(host: Any, *names: str) -> bytes:
    """Return an archive of these packages and all they need there. A lab host reaches no mirror, so this machine's apt asks for it."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("etc/apt", "var/lib/dpkg", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
            (root / name).mkdir(parents=True)
        status = io.BytesIO(b"".join(host.get_archive("/var/lib/dpkg/status")[0]))
        with tarfile.open(fileobj=status) as archive:
            archive.extract("status", root / "var/lib/dpkg", filter="data")
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (root / "etc/apt/sources.list").write_text(f"deb [signed-by={keys}] {mirror_of_this_machine()} {SUITE} main\n")
        options = [f"Dir={root}", f"Dir::State::status={root}/var/lib/dpkg/status", "APT::Sandbox::User=root", "Acquire::Languages=none"]
        apt = ["apt-get", "-qq", "--yes", *(word for one in options for word in ("-o", one))]
        for act in (["update"], ["--no-install-recommends", "--download-only", "install", *names]):
            done = subprocess.run([*apt, *act], text=True, capture_output=True, check=False)
            if done.returncode != 0:
                raise SystemExit(f"bench: apt-get {act[0]}: {done.stderr.strip()[-500:]}")
        return _tar({one.name: one.read_bytes() for one in (root / "var/cache/apt/archives").glob("*.deb")})


@contextmanager
def bench(count: int) -> Iterator[Bench]:
    """A bench with its lab host up; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="golive-bench-") as folder:
        made = Bench(Path(folder) / "checkout", count)
        made.lab("up")
        try:
            made.prepare()
            yield made
        finally:
            made.lab("down")


def measure(made: Bench, rounds: int, plain_rounds: int) -> list[dict[str, tuple[float, float]]]:
    """Return for each round what each case took; the plain tasks only in the first `plain_rounds`."""
    found = []
    made.run("ping")  # caches of controller and host are warm for all
    for number in range(rounds):
        cases = ["start", "ping", "golive", "open", "goss", *(["plain"] if number < plain_rounds else [])]
        random.shuffle(cases)
        seen = {case: made.run(case) for case in cases}
        alone = seen["golive"][0] - seen["open"][0] + seen["start"][0]
        found.append({**seen, "observation": (alone, seen["golive"][1])})
    return found


def summary(found: list[dict[str, tuple[float, float]]]) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Return the median wall and target CPU of each case, and the median of each ratio of one round."""
    cases = sorted({case for one in found for case in one})

    def median(case: str, figure: int) -> float:
        return statistics.median(one[case][figure] for one in found if case in one)

    middle = {case: (median(case, 0), median(case, 1)) for case in cases}
    peers = {"ping": "ping", "goss": "goss", "plain tasks": "plain"}
    pairs = {f"{case} / {name}": (case, peer, 0) for case in ("observation", "golive") for name, peer in peers.items()}
    pairs["target CPU, golive / goss"] = ("golive", "goss", 1)
    ratios = {name: statistics.median(one[a][k] / one[b][k] for one in found if a in one and b in one) for name, (a, b, k) in pairs.items()}
    return middle, ratios


def main() -> int:
    """Measure, print, and compare with what is asked."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.observe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checks", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain-rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="put the table into docs/explanation/performance.md")
    chosen = parser.parse_args()
    with bench(chosen.checks) as made:
        found = measure(made, chosen.rounds, chosen.plain_rounds)
    middle, ratios = summary(found)
    words = {
        "ping": "one `ping` task, tuned",
        "start": "Ansible's own start: a play that does nothing",
        "golive": "golive: open a run, observe, report",
        "open": "golive: open a run, report",
        "observation": "golive: the observation alone (see above)",
        "goss": "goss through `command`, tuned",
        "plain": "one task a check, Ansible as shipped",
    }
    rows = [(words[case], f"{wall:.2f}", f"{cpu:.2f}") for case, (wall, cpu) in middle.items()]
    rest = [(name, f"{value:.3f}", f"{LIMITS[name]:.3f}" if name in LIMITS else "") for name, value in ratios.items()]
    tables = [(("case", "wall s", "target CPU s"), rows), (("ratio, median of rounds", "found", "asked at most"), rest)]
    show(tables)
    if chosen.write:
        text = (
            f"{chosen.checks} different checks on one lab host; {chosen.rounds} rounds, interleaved; {os.cpu_count()} cores, "
            f"{platform.machine()}, load {os.getloadavg()[0]:.1f} at the end. `python -m tests.bench.observe`. The "
            "observation alone is the whole run, less one that only opens and reports, plus Ansible's own start."
        )
        put("observe", f"{chosen.checks} controls on one host", text, [*tables, landed("observe", ratios)])
    return 0 if all(ratios[name] <= limit for name, limit in LIMITS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
