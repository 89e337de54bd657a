"""A real host with systemd on which tickets are delivered, checked and voided."""
from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import ticket
from golive.lab.container import LABEL_LAB
from golive.lab.engine import connect
from golive.lab.hosts import LabHosts
from golive.lab.inventory import Lab, read_lab
from golive.lab.run import REPOSITORY

from tests.fixtures import people as p

ARM, VERIFIER = "/etc/golive/arm", "/usr/local/lib/golive/ticket.py"
PYTHON = ("sudo", "python3", "-ISE")
UNIT = f"""[Unit]
Description=Live unit of a test: runs by its ticket or not at all
StartLimitIntervalSec=0
[Service]
ExecCondition=+/usr/bin/python3 -ISE {VERIFIER} check
ExecStart=/bin/sh -c 'cp "$CREDENTIALS_DIRECTORY/exchange_key" /run/bot/live/key_seen; exec sleep infinity'
WorkingDirectory=/opt/bot/current
LoadCredentialEncrypted=exchange_key:{ARM}/exchange_key.cred
RuntimeDirectory=bot/live
RuntimeDirectoryPreserve=yes
Restart=on-failure
RestartSec=100ms
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Remote:
    """The lab host, reached as the journey would reach it."""

    lab: Lab

    def ssh(self, command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["ssh", "-F", "none", "-i", str(self.lab.key_file), "-o", f"UserKnownHostsFile={self.lab.known_hosts}", "-o", "BatchMode=yes",
             "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5",
             f"golive@{self.lab.host('bot').address}", command], input=stdin, check=False, capture_output=True, timeout=120)

    def sh(self, script: str) -> str:
        """Run a shell script as root and return what it printed; it must succeed."""
        done = self.ssh("sudo sh -e -s", script.encode())
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def put_all(self, files: dict[str, bytes], before: str = "true") -> None:
        self.sh("\n".join([before, *(f"mkdir -p $(dirname {path})\nprintf %s '{base64.b64encode(data).decode()}' | base64 -d > {path}"
                                     for path, data in files.items())]))

    def verifier(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return self.ssh(" ".join([*PYTHON, VERIFIER, *words]))

    def show(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.verifier("show").stdout)
        return shown

    def unit(self) -> str:
        return self.ssh("systemctl show bot-live.service --property=ActiveState --value").stdout.decode().strip()

    def start(self) -> None:
        self.ssh("sudo systemctl restart bot-live.service")

    def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it did not come true; unit {self.unit()}, {self.verifier('check').stderr.decode()}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A host of its own, bare, removed without a trace."""
    engine = connect()
    folder = tmp_path_factory.mktemp("arm")
    shutil.copy(REPOSITORY / "tests/fixtures/lab/arm.yml", folder / "lab.yml")
    lab = read_lab(folder / "lab.yml")
    _sweep(engine, lab)
    LabHosts(engine, lab, print).up()
    yield Remote(lab)
    _sweep(engine, lab)


def _sweep(engine: Any, lab: Lab) -> None:
    mine = {"label": f"{LABEL_LAB}={lab.name}"}
    for container in engine.containers.list(all=True, filters=mine):
        container.remove(force=True)
    for network in engine.networks.list(filters=mine):
        network.remove()


RELEASE = hashlib.sha256(b"a release").hexdigest()


@dataclass(frozen=True)
class Armed:
    """The host with verifier, release, configuration and unit in place, and tickets to deliver."""

    remote: Remote
    release: dict[str, str]

    def text(self, *, lasts: timedelta = timedelta(hours=1), begins: timedelta = timedelta(seconds=-60), **changes: Any) -> bytes:
        now = datetime.now(UTC)
        window = {"not_before": ticket.utc(now + begins), "expires": ticket.utc(now + lasts)}
        return ticket.encode(p.make_ticket(release=self.release, **window, **changes))

    def deliver(self, data: bytes, by: tuple[str, ...] = ("anna", "bert"), namespace: str = "golive-arm",
                keys: dict[str, str] | None = None, *options: str) -> subprocess.CompletedProcess[bytes]:
        files = {"ticket.json": data, **{f"ticket.json.{name}.sig": p.sign(data, (keys or {}).get(name, name), namespace) for name in by}}
        self.remote.put_all({f"/run/delivered/{name}": content for name, content in files.items()}, before="rm -rf /run/delivered")
        return self.remote.verifier("install", "--from", "/run/delivered", *options)

    def positions(self, answer: str) -> None:
        """Let the venue say this about open positions (empty: it says nothing)."""
        self.remote.put_all({"/run/positions": answer.encode()})


@pytest.fixture
def armed(remote: Remote) -> Armed:
    """The host as role bot leaves it: nothing armed, no epoch raised."""
    remote.sh(f"systemctl stop bot-live.service 2>/dev/null || true\nsystemctl reset-failed\nrm -rf {ARM} /run/bot /opt/bot /etc/bot\n"
              f"mkdir -p {ARM} /run/bot/live /opt/bot/releases/{RELEASE}/app /etc/bot\n"
              f"echo 'trade()' > /opt/bot/releases/{RELEASE}/app/bot.py\nln -s releases/{RELEASE} /opt/bot/current\n"
              "printf '{\"key\":\"SANDBOXKEY\",\"secret\":\"c2VjcmV0\"}' | "
              f"systemd-creds encrypt --name=exchange_key - {ARM}/exchange_key.cred 2>/dev/null")
    policy = p.make_policy(positions=["/bin/cat", "/run/positions"])
    remote.put_all({VERIFIER: Path(ticket.__file__).read_bytes(), f"{ARM}/policy.json": json.dumps(policy).encode(),
                    f"{ARM}/allowed_signers": p.signers_text(), "/etc/bot/live.json": json.dumps(p.CONFIG).encode(),
                    "/etc/systemd/system/bot-live.service": UNIT.encode()})
    remote.sh("systemctl daemon-reload")
    script = (f"import importlib.util,json,sys\nspec=importlib.util.spec_from_file_location('golive_ticket',{VERIFIER!r})\n"
              "m=importlib.util.module_from_spec(spec); sys.modules['golive_ticket']=m; spec.loader.exec_module(m)\n"
              f"print(json.dumps(m.Host().subject('/opt/bot/current','/etc/bot/live.json',{list(p.LIMITS)!r})))\n")
    found = json.loads(remote.ssh("sudo python3 -ISB -", script.encode()).stdout)
    return Armed(remote, found)
