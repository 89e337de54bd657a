"""The journey on the lab, four times: check, real, check, real, from bare hosts. What is predicted is what happens, and nothing leaks.

One module, in order: each test looks at the same four runs, which take minutes.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from golive.audit import AuditLog
from golive.leaks.index import Index
from golive.leaks.places import Search
from golive.store import client
from golive.store.settings import Settings

pytestmark = [pytest.mark.lab, pytest.mark.journey, pytest.mark.timeout(2400)]
ROOT = Path(__file__).resolve().parents[3]
INVENTORY = ROOT / "inventories/kraken-micro/lab.yml"
REPORTS = ROOT / "reports/kraken-micro"
HOSTS = ("bot", "guard", "outside", "vault", "venue")
Change = tuple[str, str, str]


@dataclass
class Run:
    """One run of the journey: how it ended, what it said, where its records are."""

    code: int
    output: str
    path: Path

    def changes(self) -> set[Change]:
        file = self.path / "changes.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return {(one["host"], one["object"], one["op"]) for one in lines}

    def gate(self, phase: str) -> dict[str, Any] | None:
        file = self.path / phase / "gate.json"
        return json.loads(file.read_text()) if file.exists() else None

    def hosts(self) -> list[dict[str, Any]]:
        file = self.path / "hosts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def lab(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "golive.lab", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def journey(*arguments: str) -> Run:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run([str(Path(sys.executable).parent / "ansible-playbook"), "golive.yml", "-i", str(INVENTORY), *arguments],
                          cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return Run(done.returncode, done.stdout + done.stderr, (REPORTS / "latest").resolve())


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    lab("reset", *HOSTS)
    return {"check": journey("--check", "--diff"), "real": journey("--diff", "-vvvv"), "check again": journey("--check"),
            "real again": journey()}


def test_the_dry_run_on_bare_hosts_has_no_failed_task(runs: dict[str, Run]) -> None:
    assert runs["check"].code == 0, runs["check"].output[-4000:]
    assert runs["check"].hosts() == []


def test_the_hosts_are_built_and_the_bot_trades_on_paper(runs: dict[str, Run]) -> None:
    for phase in ("preflight", "provision", "deploy"):
        gate = runs["real"].gate(phase)
        assert gate is not None, runs["real"].output[-4000:]
        assert gate["open"], gate["closing"]
    assert "active" in lab("exec", "bot", "--", "systemctl", "is-active", "bot-shadow", "bot-wire")


def test_what_was_predicted_is_what_happened_object_by_object(runs: dict[str, Run]) -> None:
    assert runs["check"].changes() == runs["real"].changes()
    assert len(runs["real"].changes()) > 300


def test_the_second_run_changes_nothing_and_predicts_nothing(runs: dict[str, Run]) -> None:
    assert runs["check again"].changes() == set()
    assert runs["real again"].changes() == set()


def test_the_first_closed_gate_ends_the_run_and_says_why(runs: dict[str, Run]) -> None:
    gate = runs["real"].gate("verify")
    assert gate is not None
    assert runs["real"].code == (0 if gate["open"] else 2)
    if not gate["open"]:
        assert runs["real"].gate("live") is None
        assert "The gate of phase verify is closed" in runs["real"].output


def test_no_trading_key_and_no_live_bot_before_people_signed(runs: dict[str, Run]) -> None:
    assert runs["real again"].gate("live") is None
    found = lab("exec", "bot", "--", "sh", "-c", "ls /etc/golive/arm; systemctl is-active bot-live || true")
    assert "exchange_key" not in found
    assert "inactive" in found


def test_every_report_is_there_and_counts_all_lines(runs: dict[str, Run]) -> None:
    formats = {"report.json", "report.html", "junit.xml", "golive.prom", "oscal.json", "audit.jsonl"}
    for run in runs.values():
        assert formats <= {path.name for path in run.path.iterdir()}
        summary = json.loads((run.path / "report.json").read_text())["summary"]
        verdicts = ("pass", "fail", "undecided", "waived", "not_applicable")
        assert sum(summary["items"][word] for word in verdicts) == summary["items"]["total"] == 96


def test_the_audit_chain_of_the_system_holds(runs: dict[str, Run]) -> None:
    assert runs
    chain = AuditLog(str(REPORTS / "audit.jsonl")).verify()
    assert {line["act"] for line in chain.lines} >= {"open", "gate"}


def test_no_secret_of_the_store_is_in_output_or_reports(runs: dict[str, Run]) -> None:
    store = Settings("https://172.30.77.14:8200", INVENTORY.parent / "lab/kraken-micro.ca.crt",
                     INVENTORY.parent / "lab/kraken-micro.store/identity.json")
    connected = client.login(store, None)
    wanted = [json.loads(client.read_field(connected, f"kv/kraken-micro/exchange/{name}", "key"))["secret"]
              for name in ("wire", "wire_query", "live", "query", "guard", "kill")]
    wanted.append(client.read_field(connected, "kv/kraken-micro/sandbox/admin", "token"))
    search = Search(Index.build({f"secret {number}": value for number, value in enumerate(wanted)}))
    for name, run in runs.items():
        search.text(run.output.encode(), f"output of the {name} run")
        search.tree(str(run.path))
    assert search.things > 40
    assert (list(map(str, search.found)), search.unread) == ([], [])
