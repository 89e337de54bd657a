"""What one check costs on the target: wall time and memory of the module's own process, as Ansible sends it.

    python -m tests.bench.exchange_key [--rounds 9]

Builds the very text that the task streams, runs it with this host's Python against a venue on loopback TLS, and prints one JSON object.
Beside it: the module as Ansible would unpack it, Ansible's ping, the catalogue's probe, the packed file of the bot's units. Budgets:
0.25 s and 30 MiB for an HMAC venue, 45 MiB with `cryptography`. Exit 1 when a budget is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import ansible.modules
from ansible.executor import module_common
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, module_utils_loader
from ansible.template import Templar
from golive import bundle, key_action
from golive.exchange.pack import pack

from tests.integration.exchange.tls_venue import Pki, TlsVenue, answer, make_pki, venue
from tests.unit.exchange.venue_fixtures import fixture

ROOT = Path(__file__).parents[2]
BUDGET_S = 0.25
BUDGET_MIB = {"kraken": 30.0, "binance": 30.0, "coinbase": 45.0}


# Linux carries a parent's peak memory over to its child in ru_maxrss, so the process reads its own high-water mark at its end.
_METER = """import atexit, sys
atexit.register(lambda: sys.stderr.write(open('/proc/self/status').read()))
exec(compile(sys.stdin.buffer.read(), '<ansiballz>', 'exec'))"""


def payload(name: str, path: Path, arguments: dict[str, Any]) -> bytes:
    """Return the Python text that Ansible sends for a module with these arguments."""
    built = module_common.modify_module(
        module_name=name, module_path=str(path), module_args=arguments, templar=Templar(loader=DataLoader()),
        task_vars={"ansible_python_interpreter": sys.executable, "ansible_playbook_python": sys.executable},
        module_compression="ZIP_DEFLATED", async_timeout=0, environment={}, become_plugin=None, remote_is_local=True,
    )  # fmt: skip
    return built.b_module_data


def arguments(name: str, served: TlsVenue, pki: Pki) -> dict[str, Any]:
    credential = fixture(name).credential
    return {
        "venue": name, "rehearsal": True, "base_url": served.url, "ca_file": pki.ca_file, "nonce_source": "own_key", "enforce": False,
        "key_material": {"key": credential.key, "secret": credential.secret}, "_ansible_check_mode": False, "_ansible_no_log": False,
        "_ansible_remote_tmp": tempfile.gettempdir(), "_ansible_tmpdir": None, "_ansible_keep_remote_files": False,
    }  # fmt: skip


# A target's root has no special variables; SSL_CERT_FILE would make every process read 140 certificates instead of one.
_TARGET = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def once(script: bytes, *argv: str) -> tuple[float, float, float, dict[str, Any]]:
    """Run the payload with arguments; return wall and CPU seconds, the process's peak resident memory in MiB, and its result."""
    before = os.times()
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _METER, *argv], input=script, capture_output=True, check=False, env=_TARGET)
    took = time.perf_counter() - started
    after = os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    peak = re.search(rb"VmHWM:\s+(\d+) kB", done.stderr)
    if peak is None or not done.stdout:
        raise SystemExit("the module did not run: %s" % done.stderr.decode()[:500])
    text = done.stdout.decode().strip()
    text = text if text.startswith(("{", "--")) else json.dumps({"facts": {"authenticates": text.startswith("PASS")}})
    result = json.loads(text.split(" ", 2)[2])[0] if text.startswith("--golive ") else json.loads(text)
    return took, cpu, int(peak.group(1)) / 1024, result


def figures(name: str, script: bytes, rounds: int, *argv: str) -> dict[str, Any]:
    runs = [once(script, *argv) for _ in range(rounds)]
    if not all(result.get("facts", {}).get("authenticates") or result.get("ping") for *_, result in runs):
        raise SystemExit("the module did not ask: %s" % runs[0][3])
    return {
        "measured": name, "rounds": rounds, "best_s": round(min(run[0] for run in runs), 3),
        "median_s": round(statistics.median(run[0] for run in runs), 3), "best_cpu_s": round(min(run[1] for run in runs), 3),
        "rss_mib": round(max(run[2] for run in runs), 1), "payload_kib": round(len(script) / 1024),
    }  # fmt: skip


def measure(name: str, rounds: int, pki: Pki, *, unpacked: bool = False) -> dict[str, Any]:
    """The task's own process; with `unpacked` as AnsiballZ, which is sent where a connection cannot stream."""
    case = next(iter(fixture(name).cases.values()))
    with venue(pki, answer(case["body"])) as served:
        given = arguments(name, served, pki)
        if unpacked:
            script = payload("exchange_key_permissions", ROOT / "library/exchange_key_permissions.py", given)
            return figures(f"{name}, as AnsiballZ", script, rounds)
        checked = key_action.checked({option: value for option, value in given.items() if not option.startswith("_ansible_")})
        script = bundle.program(key_action.ENTRY, {"arguments": checked, "nonce": "n"})
        return {**figures(name, script, rounds), "budget_s": BUDGET_S, "budget_mib": BUDGET_MIB[name]}


def streamed(rounds: int, pki: Pki) -> dict[str, Any]:
    """What the same question costs as a probe, streamed by the catalogue's runner without AnsiballZ."""
    found = fixture("kraken")
    with venue(pki, answer(found.cases["least"]["body"])) as served:
        asked = {"venue": "kraken", "credential": "vault:x/y#z", "base_url": served.url, "ca_file": pki.ca_file, "nonce_source": "own_key"}
        probe = {"id": "a", "subject": "bench", "probe": "exchange_key", "ask": asked, "deadline_s": 20}
        plan = {"host": "bench", "rehearsal": True, "nonce": "n", "deadline_s": 30, "probes": [probe]}
        secret = json.dumps({"key": found.credential.key, "secret": found.credential.secret})
        script = bundle.script(plan, {"vault:x/y#z": secret})
        return figures("kraken, as streamed probe", script, rounds)


def packed(rounds: int, pki: Pki, folder: Path) -> dict[str, Any]:
    """What the one-file command costs that a bot's unit runs before each start."""
    found = fixture("kraken")
    (folder / "exchange_key.pyz").write_bytes(pack())
    (folder / "key.json").write_text(json.dumps({"key": found.credential.key, "secret": found.credential.secret}))
    (folder / "key.json").chmod(0o600)
    script = f"import runpy; runpy.run_path({str(folder / 'exchange_key.pyz')!r}, run_name='__main__')".encode()
    with venue(pki, answer(found.cases["least"]["body"])) as served:
        argv = ("--venue", "kraken", "--rehearsal", "--base-url", served.url, "--ca-file", pki.ca_file, "--credential",
                f"file:{folder}/key.json", "--nonce-source", "own_key", "--one-line")  # fmt: skip
        return figures("kraken, as packed file", script, rounds, *argv)


def nothing(rounds: int) -> dict[str, Any]:
    """What Ansible's own ping costs: the part of the figures that is not ours."""
    path = Path(ansible.modules.__path__[0]) / "ping.py"
    common = {"_ansible_remote_tmp": tempfile.gettempdir(), "_ansible_keep_remote_files": False, "_ansible_check_mode": False}
    return figures("ansible.builtin.ping", payload("ping", path, common), rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pki = make_pki(Path(folder))
        init_plugin_loader()
        module_utils_loader.add_directory(str(ROOT / "module_utils"))
        found = [measure(name, given.rounds, pki) for name in BUDGET_MIB]
        probe, unit = streamed(given.rounds, pki), packed(given.rounds, pki, Path(folder))
        floor, unpacked = nothing(given.rounds), measure("kraken", given.rounds, pki, unpacked=True)
    broken = [one["measured"] for one in found if one["best_s"] > BUDGET_S or one["rss_mib"] > one["budget_mib"]]
    load = os.getloadavg()[0]
    print(
        json.dumps(
            {
                "python": sys.version.split()[0],
                "load": round(load, 1),
                "floor": floor,
                "probe": probe,
                "unit": unit,
                "unpacked": unpacked,
                "measured": found,
                "broken": broken,
            },
            indent=1,
        )
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
