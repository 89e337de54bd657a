"""The store is down, slow, sealed, broken, a stranger, full: each ends in one clear sentence, and in the same end state after repair."""
from __future__ import annotations

import json
import os
import shlex
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from golive import secrets
from golive.errors import GoliveError
from golive.operators import check_all, validate
from golive.store import bring_up, client, config, wanted
from golive.store.settings import Settings, token_directory

from .conftest import Opened, Server, certificate, open_store, prepare

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = "vault:kv/slice/exchange/wire#key"
CANARY = "kQ9x7LpA3zR1mV0nT5yB8c"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """A configured store with an identity for its controller."""
    running = prepare(tmp_path_factory.mktemp("store"))
    for number in range(2):
        (running.folder / f"a{number}").mkdir()
    running.start()
    opened = open_store(running)
    want = wants(running)
    config.apply(opened.root(), want, wanted.differences(want, config.current(opened.root(), want)))
    identify(opened)
    client.write_secret(client.login(running.settings, None), "kv/slice/exchange/wire", {"key": CANARY})
    yield opened
    running.kill()


def wants(server: Server) -> wanted.Wanted:
    return wanted.system_wants("slice", [str(server.folder / f"a{number}/audit.log") for number in range(2)], [])


def identify(opened: Opened) -> None:
    bring_up._identify(opened.root(), "slice-controller", opened.server.settings)


def variables(where: Settings) -> dict[str, str]:
    return {"vault_address": where.address, "vault_controller_ca_file": str(where.ca_file),
            "vault_controller_identity": str(where.identity)}


def resolve(where: Settings) -> str:
    return secrets.resolve(REFERENCE, variables(where))


def refused(where: Settings, words: str) -> str:
    with pytest.raises(GoliveError, match=words) as caught:
        resolve(where)
    text = str(caught.value)
    assert REFERENCE in text                      # it says which secret
    assert "\n" not in text
    assert CANARY not in text
    assert "Traceback" not in text
    return text


def test_a_store_that_is_down_and_comes_back(ready: Opened) -> None:
    ready.server.kill()
    refused(ready.server.settings, "the store does not answer, asked to log the controller in")
    ready.server.start()
    refused(ready.server.settings, "sealed")
    ready.unseal()
    assert resolve(ready.server.settings) == CANARY


def test_a_sealed_store_says_so_in_its_own_words(ready: Opened) -> None:
    ready.root().sys.seal()
    assert "Vault is sealed" in refused(ready.server.settings, "sealed")
    ready.unseal()
    assert resolve(ready.server.settings) == CANARY


def test_a_stranger_with_the_stores_address_is_not_talked_to(ready: Opened, tmp_path: Path) -> None:
    certificate(tmp_path)
    refused(replace(ready.server.settings, ca_file=tmp_path / "server.crt"), "certificate is not accepted")
    assert resolve(ready.server.settings) == CANARY


def test_a_revoked_token_of_the_run_is_replaced_by_one_login(ready: Opened) -> None:
    run = f"test-{ready.server.folder.name}"
    first = client.login(ready.server.settings, run)
    ready.root().auth.token.revoke(first.token)
    second = client.login(ready.server.settings, run)
    assert second.token != first.token
    assert client.read_field(second, "kv/slice/exchange/wire", "key") == CANARY
    client.forget(ready.server.settings, run)
    assert not (token_directory() / run).exists()


def test_a_controller_that_was_locked_out_is_told_so(ready: Opened) -> None:
    root = ready.root()
    for accessor in root.auth.approle.list_secret_id_accessors("slice-controller")["data"]["keys"]:
        root.auth.approle.destroy_secret_id_accessor("slice-controller", accessor)
    refused(ready.server.settings, "refused to log the controller in.*invalid role or secret ID")
    identify(ready)
    assert resolve(ready.server.settings) == CANARY


@contextmanager
def impostor(folder: Path, answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Settings]:
    certificate(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer(self)

        do_GET = do_PUT = do_POST

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    identity = folder / "identity"
    client.private_file(identity, b'{"role_id": "r", "secret_id": "s"}')
    try:
        yield Settings(f"https://127.0.0.1:{server.server_port}", folder / "server.crt", identity)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_broken_store_is_quoted(tmp_path: Path, status: int) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(b'{"errors": ["storage backend is gone"]}')

    with impostor(tmp_path, answer) as where:
        refused(where, "refused to log the controller in.*storage backend is gone")


def test_a_proxy_page_instead_of_the_store_is_one_sentence(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"<html>welcome</html>")

    with impostor(tmp_path, answer) as where:
        refused(where, "gave no answer of a store")


def test_a_slow_store_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = threading.Event()
    monkeypatch.setattr(client.unauthenticated, "__defaults__", (0.5,))
    with impostor(tmp_path, lambda _handler: hold.wait(60) and None) as where:
        refused(where, "does not answer.*ReadTimeout")
        hold.set()


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Opened]:
    """A store in a mount namespace of its own, whose two audit devices lie on disks of 48 KiB."""
    running = prepare(tmp_path)
    alone = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    for number in range(2):
        (tmp_path / f"a{number}").mkdir()
    running.prefix = ["unshare", *alone, "--mount", "--propagation", "private", "sh", "-c",
                      "".join(f"mount -t tmpfs -o size=48k none {tmp_path}/a{number} && " for number in range(2)) + 'exec "$@"', "sh"]
    running.start()
    opened = open_store(running)
    root = opened.root()
    root.sys.enable_audit_device("file", path="file0", options={"file_path": f"{tmp_path}/a0/audit.log"})
    root.sys.enable_audit_device("file", path="file1", options={"file_path": f"{tmp_path}/a1/audit.log"})
    yield opened
    running.kill()


def inside(opened: Opened, script: str) -> str:
    assert opened.server.process is not None
    alone = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    command = ["nsenter", *alone, "--mount", "--target", str(opened.server.process.pid), "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def fill(opened: Opened, number: int) -> None:
    inside(opened, f"dd if=/dev/zero of={opened.server.folder}/a{number}/filler bs=1k count=64 2>/dev/null")


def judged(opened: Opened) -> str:
    """Return what the control secrets.audit_written says of both devices, asked where they lie; 4 KiB must be free."""
    files = [f"{opened.server.folder}/a{number}/audit.log" for number in range(2)]
    script = ("import json, sys; from tests.unit.probes.fake_look import FakeLook; from golive.probes import audit_log; "
              "from datetime import datetime, UTC; look = FakeLook(); look.time = datetime.now(UTC); "
              "print(json.dumps(audit_log.observe({'files': sys.argv[1:]}, look).facts))")
    facts = json.loads(inside(opened, f"cd {ROOT} && {sys.executable} -c {shlex.quote(script)} {' '.join(files)}"))
    expect = yaml.safe_load((ROOT / "controls/secrets.yml").read_text())["secrets.audit_written"]["expect"]
    numbers = {"$store_audit_lag_max_s": 60, "$store_audit_age_max_s": 3600, "$store_audit_free_min_bytes": 4096}
    tests = {name: {"all": {operator: numbers[value] for operator, value in one["all"].items()}} if "all" in one else one
             for name, one in expect.items()}
    return "pass" if all(check_all(facts[name], validate(one)) for name, one in tests.items()) else "fail"


def until_refused(root: client.hvac.Client) -> None:
    """Ask until what was left of the last disk is full; raises what the store says then."""
    for _ in range(60):
        client.said(root.sys.list_mounted_secrets_engines, "list its mounts")


def test_one_full_disk_is_red_and_served_on_and_two_are_refused_and_repair_heals(apart: Opened) -> None:
    folder, root = apart.server.folder, apart.root()
    root.sys.list_mounted_secrets_engines()                # a line in each
    assert judged(apart) == "pass"
    fill(apart, 0)
    for _ in range(4):
        root.sys.list_mounted_secrets_engines()            # served on: the other device has it
    assert int(inside(apart, f"stat -f -c %a {folder}/a0").strip()) == 0
    assert int(inside(apart, f"grep -c sys/mounts {folder}/a1/audit.log")) >= 4
    assert judged(apart) == "fail"                         # and the control is red, by what the probe sees there
    fill(apart, 1)
    with pytest.raises(GoliveError, match=r"refused to list its mounts.*audit devices first.*full disk"):
        until_refused(root)
    for number in range(2):
        inside(apart, f"rm -f {folder}/a{number}/filler {folder}/a{number}/audit.log")
    assert apart.server.process is not None
    apart.server.process.send_signal(signal.SIGHUP)        # reopens its logs, as after a rotation
    assert client.said(root.sys.list_mounted_secrets_engines, "list its mounts")["data"]
    assert not client.said(client.unauthenticated(apart.server.settings).sys.is_sealed, "say whether it is sealed")
    assert judged(apart) == "pass"
