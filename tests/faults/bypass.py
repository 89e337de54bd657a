"""`python -m tests.faults.bypass`: the ways around the gates, each tried with the real journey on the lab. None may arm; each is named.

A way that needs a run which is ready to arm is tried by the tests of the arming itself; the record names them.
"""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from golive.audit import AuditLog
from golive.canonical import utc
from golive.rundir import write_atomic
from golive.session import ROOT, reports_of

from .harness import bound, compiled
from .harness.lab import INVENTORY, Lab

RECORD = ROOT / "tests/records/bypass_campaign.json"
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Way:
    """One way around: arguments of ansible-playbook, environment (None takes a variable away), and the words that name it."""

    name: str
    arguments: Sequence[str]
    words: str
    environment: Mapping[str, str | None] = field(default_factory=dict)
    before: str = ":"
    after: str = ":"
    inventory: bool = True


JOURNEY = "golive.yml"
REPORTS = reports_of(compiled.SYSTEM)
GATE = "would walk around a gate"
UNREAD = "did not read this repository's ansible.cfg"
WAYS = (
    Way("--start-at-task", [JOURNEY, "--start-at-task", "Arm"], GATE),
    Way("--tags", [JOURNEY, "--tags", "all,arm"], GATE),
    Way("--skip-tags", [JOURNEY, "--skip-tags", "gate"], GATE),
    Way("--limit", [JOURNEY, "--limit", "bot"], GATE),
    Way("--step", [JOURNEY, "--step"], GATE),
    Way("callback switched off, --start-at-task", [JOURNEY, "--start-at-task", "Arm"], "no run holds the lock",
        {"ANSIBLE_CALLBACKS_ENABLED": "timer"}),
    Way("callback switched off, --limit", ["playbooks/live.yml", "--limit", "bot"], "no run holds the lock",
        {"ANSIBLE_CALLBACKS_ENABLED": "timer"}),
    Way("the phase live alone", ["playbooks/live.yml"], "was not opened"),
    Way("opened, then the phase live alone", ["playbooks/open.yml", "playbooks/live.yml"], "more than one playbook in a call"),
    Way("-e golive_dry", [JOURNEY, "-e", "golive_dry=false"], "golive_dry"),
    Way("the inventory folder", ["-i", str(INVENTORY.parent), JOURNEY], "a folder would mix lab and production",
        inventory=False),
    Way("no inventory of that name", ["-i", str(INVENTORY.parent / "lap.yml"), JOURNEY], "there is no such inventory file",
        inventory=False),
    Way("another ansible.cfg", [JOURNEY], UNREAD, {"ANSIBLE_CONFIG": "/tmp/golive-other.cfg"},
        before="printf '[defaults]\\n' > /tmp/golive-other.cfg", after="rm -f /tmp/golive-other.cfg"),
    Way("a checkout that others may write", [JOURNEY], UNREAD, {"ANSIBLE_CONFIG": None},
        before="chmod o+w .", after="chmod o-w ."),
    Way("edited report, then the phase live alone", ["playbooks/live.yml"], "was not opened",
        before=f"cd {REPORTS}/latest; cp -p report.json report.kept; "
               "sed -i 's/\"fail\"/\"pass\"/g; s/\"undecided\"/\"pass\"/g' report.json",
        after=f"cd {REPORTS}; for f in 2*/report.kept; do mv $f $(dirname $f)/report.json; done"),
    Way("symlinked state: the run that an edited copy's link names, then the phase live alone", ["playbooks/live.yml"], "was not opened",
        before=f"cd {REPORTS}; readlink latest > latest.kept; cp -rp $(readlink latest) 20200101T000000Z-copied; "
               "sed -i 's/\"open\": false/\"open\": true/' 20200101T000000Z-copied/*/gate.json; ln -sfn 20200101T000000Z-copied latest",
        after=f"cd {REPORTS}; ln -sfn $(cat latest.kept) latest; rm -rf latest.kept 20200101T000000Z-copied"),
    Way("the lock a link to another file", [JOURNEY], "lock",
        before=f"mv {REPORTS}/lock {REPORTS}/lock.kept; ln -s lock.kept {REPORTS}/lock",
        after=f"rm -f {REPORTS}/lock; mv {REPORTS}/lock.kept {REPORTS}/lock"),
)
# What is tried where a run is ready to arm: way -> test that tries it and the words it must say.
TESTED = {
    "edited observations, edited gate, edited profile, edited catalogue, edited audit chain":
        "tests/integration/arming/test_arm_action.py::test_whatever_is_spoilt_refuses_by_its_own_words_and_unspoilt_it_arms",
    "a ticket changed after signing, a ticket with one signature, a higher epoch, a changed verifier, a changed release":
        "tests/integration/arming/test_arm_action.py::test_whatever_is_spoilt_refuses_by_its_own_words_and_unspoilt_it_arms",
    "-e that shadows the profile":
        "tests/integration/arming/test_arm_action.py::test_an_extra_variable_that_shadows_the_profile_does_not_arm",
    "replayed ticket": "tests/integration/arming/test_unit.py::test_a_second_delivery_is_refused_on_the_host",
    "copied run directory, closed run, other inventory, dry run, stale record":
        "tests/unit/arming/test_arming.py::test_each_way_around_the_gate_is_refused_and_named",
    "clock set back": "tests/unit/ticket/test_refusals.py::test_a_clock_set_back_does_not_revive_an_expired_ticket",
    "linked signers file": "tests/unit/ticket/test_refusals.py::test_a_linked_or_missing_signers_file_is_not_trusted",
    "forged evidence": "tests/faults/controller_signs_ci_evidence.py",
    "without a ticket that was valid when it armed this host the live unit never runs, over any order of acts, kills and clocks":
        "tests/unit/ticket/test_model.py",
    "a target that lies through ansible_facts": "tests/unit/core/test_ansible_cfg.py::test_ansible_cfg_says",
}


def untested() -> list[str]:
    """Return the tests that the record leans on and that are not there."""
    lost = []
    for place in TESTED.values():
        path, _, name = place.partition("::")
        if not (ROOT / path).is_file() or (name and f"def {name}(" not in (ROOT / path).read_text("utf-8")):
            lost.append(place)
    return lost


def armed(world: Lab) -> list[str]:
    """Return what of an armed bot is there: its ticket, its key, its unit, or an act in the audit chain."""
    found = []
    for host in world.groups["bots"]:
        found += world.on(host, "cd /etc/golive/arm; ls -d installed exchange_key.cred 2>/dev/null || true").split()
        found += [f"bot-live {state}" for state in world.on(host, "systemctl is-active bot-live", check=False).split() if state == "active"]
    lines = AuditLog(str(reports_of(compiled.SYSTEM) / "audit.jsonl")).verify().lines
    return found + [line["act"] for line in lines if line["act"] in ("arm.done", "ramp.done")]


def attempt(way: Way) -> tuple[int, str]:
    """Try a way; returns exit code and output."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    for name, value in way.environment.items():
        environment.pop(name, None)
        environment.update({name: value} if value is not None else {})
    command = [str(BIN / "ansible-playbook"), *(["-i", str(INVENTORY)] if way.inventory else []), *way.arguments]
    subprocess.run(["sh", "-c", way.before], cwd=ROOT, check=True)
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600,
                              stdin=subprocess.DEVNULL)
    finally:
        subprocess.run(["sh", "-c", way.after], cwd=ROOT, check=True)
    return done.returncode, done.stdout + done.stderr


def tried(way: Way, world: Lab, before: list[str]) -> dict[str, object]:
    """Try a way and return its row of the record."""
    code, output = attempt(way)
    now = armed(world)
    said = [line.strip() for line in output.splitlines() if way.words in " ".join(line.split())]
    last = [line.strip() for line in output.splitlines() if re.search("error|fatal", line, re.IGNORECASE)]
    told = ((said or last or ["nothing"])[0]).replace(str(ROOT), "")[:300]
    named = bool(said)
    return {"way": way.name, "exit": code, "armed": now != before, "named": named, "said": told, "at": utc()}


def write(rows: list[dict[str, object]]) -> None:
    """Write the record."""
    figures = {"ways tried with the journey on the lab": len(rows), "that armed": sum(bool(row["armed"]) for row in rows),
               "that were not named": sum(not row["named"] for row in rows), "ways tried by tests of the arming": len(TESTED)}
    about = "Each way was tried with the real journey; none may arm, each is named."
    notes = [*(f"{row['way']}: exit {row['exit']}, {str(row['said'])[:160]}" for row in rows),
             *(f"{way}: `{place}`" for way, place in TESTED.items())]
    body = {"title": "Ways around the gates", "about": about, "at": utc(), "bound": bound.now("bypass_campaign"),
            "figures": figures, "ways": rows, "tested": TESTED,
            "notes": notes}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)


def main() -> int:
    """Try every way that the record does not hold yet (all with --again), and return 2 when one armed or was not named."""
    world = Lab()
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.is_file() and "--again" not in sys.argv else {}
    kept = record["ways"] if record.get("bound") == bound.now("bypass_campaign") else []
    rows = [row for row in kept if row["way"] in {way.name for way in WAYS} and row["named"] and not row["armed"]]
    before = armed(world)
    for way in WAYS:
        if way.name in {row["way"] for row in rows}:
            continue
        rows.append(tried(way, world, before))
        write(rows)
        row = rows[-1]
        words = f"{'ARMED' if row['armed'] else 'held'}, {'named' if row['named'] else 'NOT NAMED'}"
        print(f"{words}, exit {row['exit']}: {way.name}: {str(row['said'])[:140]}", flush=True)
    world.close()
    return 2 if untested() or any(row["armed"] or not row["named"] or row["exit"] == 0 for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
