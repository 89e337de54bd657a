"""One lab host with two registries (crypto and swing) and the people who sign; plays and probes run on it as in production."""
from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures import models as m
from tests.integration.sets.conftest import Lab, Run

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = """\
all:
  children:
    rehearsal:
      hosts:
        bot: {ansible_host: 172.30.91.11}
      vars: {lab_network: 172.30.91.0/24, lab_name: modelreg, lab_traces: true}
    targets: {hosts: {bot: {}}}
    bots: {hosts: {bot: {}}}
"""
BASE = "/srv/data/artifacts"
CRYPTO, SWING = f"{BASE}/crypto/kraken_global", f"{BASE}/swing/stocks"
KEEP = bool(os.environ.get("GOLIVE_MODELREG_KEEP"))
CONTAINER = "golive-modelreg-bot"
NAMES = ("bot", "trainer", "swing")
USERS = {"accounts": {"groups": [{"name": name, "system": True} for name in NAMES],
                      "users": [{"name": name, "group": name, "system": True, "home": "/nonexistent"} for name in NAMES]}}
ROLES = [{"role": "model_registry", "vars": {"model_registry_trainers": ["trainer"]}},
         {"role": "model_registry", "vars": {
             "model_registry_scope": "swing/stocks", "model_registry_owner": "swing-registry", "model_registry_readers": "swing-readers",
             "model_registry_live_users": ["swing"], "model_registry_retention": False}}]
REGISTRY = {"pre_tasks": [USERS], "roles": ROLES}
COMMON = {"store": {"path": BASE}, "scope": m.SCOPE, "system": "s", "profile": m.PROFILE, "bot_schema": m.BOT_SCHEMA, "signers": m.SIGNERS,
          "people": m.PEOPLE, "issuers": m.ISSUERS, "force_reason": "the test does not wait for the night"}


@dataclass(frozen=True)
class Host(Lab):
    """The lab host `bot`."""

    def play(self, play: dict[str, Any], *words: str) -> Run:
        return self.run({"hosts": "bot", **play}, *words)

    def four(self, play: dict[str, Any]) -> list[tuple[str, str]]:
        return self.four_runs({"hosts": "bot", **play})

    def shell(self, text: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a shell text on the host, as root or as a user with the groups that a login gives."""
        words = ["sh", "-c", text] if user is None else ["runuser", "-u", user, "--", "sh", "-c", text]
        return subprocess.run(["docker", "exec", CONTAINER, *words], capture_output=True, text=True, check=False)

    def must(self, text: str, user: str | None = None) -> str:
        done = self.shell(text, user)
        assert done.returncode == 0, f"{text}: {done.stdout}{done.stderr}"
        return done.stdout

    def put(self, folder: Path, target: str, owner: str) -> None:
        """Copy a folder of small files to the host."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:xz") as archive:
            archive.add(folder, ".")
        text = base64.b64encode(packed.getvalue()).decode()
        self.must(f"rm -rf {target}; mkdir -p {target}; : > /run/put.b64")
        for start in range(0, len(text), 60_000):
            self.must(f"printf %s '{text[start:start + 60_000]}' >> /run/put.b64")
        unpack = f"import sys,tarfile,io; tarfile.open(fileobj=io.BytesIO(sys.stdin.buffer.read())).extractall('{target}')"
        self.must(f'base64 -d /run/put.b64 | python3 -c "{unpack}"; chown -R {owner}: {target}; chmod -R u+rwX,go+rX {target}')

    def promotion(self, action: str, *words: str, owner: str = "model-registry", **more: Any) -> Run:
        """Run model_promotion on the host as the registry's owner."""
        return self.play(self.task(action, owner=owner, **more), *words)

    def playbook(self, name: str, values: dict[str, Any], *words: str) -> Run:
        """Run one of golive's own playbooks with these variables."""
        given = self.place / "values.json"
        given.write_text(json.dumps(values))
        self.record.unlink(missing_ok=True)
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GOLIVE_RECORD_CHANGES": str(self.record)}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(self.inventory), str(ROOT / "playbooks/operate" / name),
             "-e", f"@{given}", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        return Run(done.returncode, [json.loads(line) for line in lines], done.stdout + done.stderr)

    @staticmethod
    def task(action: str, owner: str = "model-registry", **more: Any) -> dict[str, Any]:
        """Return the play of one action."""
        return {"tasks": [{"model_promotion": {**COMMON, "action": action, **more}, "become": True, "become_user": owner}]}

    def tool_run(self, action: str, user: str = "model-registry", refused: bool = False, **more: Any) -> dict[str, Any]:
        """Run one action with the one-file tool that the role installs, as the registry's owner."""
        text = base64.b64encode(json.dumps({**COMMON, "action": action, **more}).encode()).decode()
        tool = "python3 -I /usr/local/lib/golive/model_registry.pyz"
        done = self.shell(f"f=$(mktemp) && echo {text} | base64 -d > $f && {tool} run $f; rm $f", user)
        lines = done.stdout.strip().splitlines()
        assert lines, done.stdout + done.stderr
        result: dict[str, Any] = json.loads(lines[-1])
        assert bool(result.get("failed")) == refused, result.get("msg")
        return result

    def look(self, script: bytes) -> str:
        """Stream a plan to the host's Python as golive does, as root. Returns what it printed."""
        done = subprocess.run(["docker", "exec", "-i", CONTAINER, "/usr/bin/python3", "-ISE", "-"], input=script, capture_output=True,
                              check=False)
        return done.stdout.decode() + done.stderr.decode()


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The host, made for this session and bare.

    For developing: GOLIVE_MODELREG_INVENTORY names one that is there already, GOLIVE_MODELREG_KEEP leaves it as an earlier session left it.
    """
    place = tmp_path_factory.mktemp("modelreg")
    given = os.environ.get("GOLIVE_MODELREG_INVENTORY")
    inventory = Path(given) if given else place / "lab.yml"
    if not given:
        inventory.write_text(INVENTORY)
        (place / "group_vars").symlink_to(ROOT / "molecule/lab/inventory/group_vars")
    made = Host(inventory, place)
    for act in () if KEEP else ("up", "reset"):
        done = made.tool(act, *(["bot"] if act == "reset" else []))
        assert done.returncode == 0, done.stdout + done.stderr
    yield made
    if not given:
        made.tool("down")


@pytest.fixture(scope="session")
def made_by_role(host: Host) -> list[tuple[str, str]]:
    """What the role changed on the bare host: foretold by its dry run, done once, and nothing by two runs more."""
    if KEEP:
        pytest.skip("the host is kept: the role was run on it before")
    return host.four(REGISTRY)


@pytest.fixture(scope="session")
def registry(host: Host, request: pytest.FixtureRequest) -> Host:
    """The host with both registries, as the role makes them."""
    if not KEEP:
        request.getfixturevalue("made_by_role")
    return host


@pytest.fixture(scope="session")
def approved(registry: Host, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Two models that were promoted one after the other on the host; the second is in force. Returns what each was approved with."""
    return {name: promoted(registry, tmp_path_factory.mktemp(name), seed) for name, seed in (("first", 1), ("second", 2))}


def last_training(now: datetime) -> dict[str, str]:
    """Return a training in the downtime that is over, with time for its evidence, and stays younger than a day for 55 minutes at least."""
    began = now.replace(hour=3) if now.hour >= 4 else (now - timedelta(days=1)).replace(hour=4)
    return m.training(began.replace(minute=5, second=0, microsecond=0), timedelta(minutes=50))


def handed_in(host: Host, place: Path, seed: int, rows: bytes | None = None, **world: Any) -> dict[str, Any]:
    """Put a signed candidate with its evidence on the host and register, validate and sign it; return what approves it."""
    now = datetime.now(UTC)
    world.setdefault("training", last_training(now))
    source, evidence, approvals = f"{CRYPTO}/incoming/c{seed}", f"/srv/evidence-{seed}", f"/srv/approvals-{seed}"
    host.put(m.candidate(place / "source", seed, **world), source, "trainer")
    digest = host.tool_run("register", source=source)["facts"]["candidate"]
    host.put(m.evidence(place / "evidence", digest, rows=rows, issued=now - timedelta(minutes=5)), evidence, "root")
    validation = host.tool_run("validate", candidate=digest, evidence=evidence)["facts"]["validation"]
    host.put(m.approve(place / "approvals", digest, validation, issued=now - timedelta(minutes=2)), approvals, "root")
    return {"candidate": digest, "validation": validation, "approvals": approvals, "confirm": True}


def promoted(host: Host, place: Path, seed: int) -> dict[str, Any]:
    """Promote a candidate on the host; return what approved it."""
    given = handed_in(host, place, seed)
    host.tool_run("approve", **given)
    return given
