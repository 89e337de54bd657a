"""The agent delivers in memory, renews, and takes nothing away while the store is gone; a metric says when the lease is lost."""
from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest
from golive.store import agent_host, client, config, wanted

from .conftest import Opened, await_that, program

ROOT = Path(__file__).resolve().parents[3]
PERIOD_S = 8


@dataclass
class Agent:
    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def secret(self) -> str | None:
        path = self.folder / "secrets/exchange_key"
        return path.read_text() if path.exists() else None

    def authenticated(self) -> bool | None:
        return agent_host.authenticated(self.port)


def configured(opened: Opened) -> wanted.Wanted:
    processes = {"bot": {"reads": ["exchange/wire"], "from": ["127.0.0.1/32"], "token_period": PERIOD_S, "secret_id_ttl": 60}}
    want = wanted.joined(wanted.system_wants("slice", [str(opened.server.folder / "audit.log")], [], processes=processes),
                         wanted.processes_want("slice", processes))
    config.apply(opened.root(), want, wanted.differences(want, config.current(opened.root(), want)))
    root = opened.root()
    await_that(lambda: _written(root, "first"))
    return want


def _written(root: client.hvac.Client, value: str) -> bool:
    try:
        root.secrets.kv.v2.create_or_update_secret(path="slice/exchange/wire", secret={"key": value}, mount_point="kv")
    except client.VaultError:  # the mount is being upgraded to version 2
        return False
    return True


def introduce(opened: Opened, folder: Path) -> str:
    root = opened.root()
    wrapped = str(root.auth.approle.generate_secret_id("slice-bot", wrap_ttl="60s")["wrap_info"]["token"])
    agent_host._lay(str(folder / "role_id"), root.auth.approle.read_role_id("slice-bot")["data"]["role_id"], os.getuid(), os.getgid())
    agent_host._lay(str(folder / "secret_id"), wrapped, os.getuid(), os.getgid())
    return wrapped


@pytest.fixture
def agent(opened: Opened) -> Iterator[Agent]:
    configured(opened)
    folder = opened.server.folder / "agent"
    (folder / "secrets").mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True)
    text = environment.from_string((ROOT / "roles/secrets/templates/agent.hcl.j2").read_text()).render(
        secrets_address=opened.server.settings.address, secrets_ca_file=str(opened.server.settings.ca_file), secrets_agent_process="bot",
        secrets_program=program().name, secrets_system="slice", secrets_agent_interval="1s", secrets_agent_port=port,
        secrets_agent_secrets=[{"name": "exchange_key", "path": "exchange/wire", "field": "key"}])
    (folder / "agent.hcl").write_text(text.replace("/run/golive-agent/bot", str(folder)))
    introduce(opened, folder)
    started = subprocess.Popen([str(program()), "agent", "-config", str(folder / "agent.hcl")],
                               stdout=(folder / "out").open("ab"), stderr=subprocess.STDOUT)
    yield Agent(folder, port, started)
    started.kill()
    started.wait()


def test_a_process_gets_its_secret_sees_a_rotation_and_outlives_a_sealed_and_a_lost_store(opened: Opened, agent: Agent) -> None:
    await_that(lambda: agent.secret() == "first")
    await_that(lambda: agent.authenticated() is True)
    assert not (agent.folder / "secret_id").exists()                      # opened once, and taken away
    assert (agent.folder / "secrets/exchange_key").stat().st_mode & 0o777 == 0o400
    began = time.monotonic()
    await_that(lambda: time.monotonic() - began > 2 * PERIOD_S)           # longer than its token would live without renewal
    opened.root().secrets.kv.v2.create_or_update_secret(path="slice/exchange/wire", secret={"key": "second"}, mount_point="kv")
    await_that(lambda: agent.secret() == "second")
    assert agent.authenticated() is True
    opened.root().sys.seal()
    await_that(lambda: agent.authenticated() is False)                    # the lease is lost, and the metric says so …
    assert agent.secret() == "second"                                     # … what the process has it keeps
    assert agent.process.poll() is None
    opened.server.restart()
    opened.unseal()
    introduce(opened, agent.folder)
    opened.root().secrets.kv.v2.create_or_update_secret(path="slice/exchange/wire", secret={"key": "third"}, mount_point="kv")
    await_that(lambda: agent.secret() == "third")
    await_that(lambda: agent.authenticated() is True)
    opened.server.kill()
    await_that(lambda: agent.authenticated() is False)
    assert agent.secret() == "third"
    assert agent.process.poll() is None
    said = (agent.folder / "out").read_bytes()
    assert not any(word in said for word in (b"first", b"second\"", b"third"))


def test_a_host_without_an_agent_is_told_from_one_that_is_not_logged_in() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert agent_host.authenticated(int(probe.getsockname()[1])) is None
