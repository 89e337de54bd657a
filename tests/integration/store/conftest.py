"""A real store on loopback: HashiCorp Vault with integrated storage and TLS, in a folder of the test's own.

`GOLIVE_STORE_PROGRAM` names another server of the same API instead (OpenBao's `bao`), with its plugins beside it; tests on hosts take it
out of its release archive, `GOLIVE_STORE_ARCHIVE` with `GOLIVE_STORE_ARCHIVE_SHA256`.
"""
from __future__ import annotations

import datetime
import ipaddress
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hvac
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from golive.errors import GoliveError
from golive.lab.vault_binary import vault_folder
from golive.store import bring_up, client
from golive.store.settings import Settings


def program() -> Path:
    """Return the server that is tried: the lab's Vault, or what GOLIVE_STORE_PROGRAM names."""
    named = os.environ.get("GOLIVE_STORE_PROGRAM")
    return Path(named) if named else vault_folder() / "vault"


def archive() -> dict[str, str]:
    """Return the variables of role secrets that name the program which is tried, and where it comes from."""
    return {"secrets_program": program().name,
            "secrets_archive": os.environ.get("GOLIVE_STORE_ARCHIVE", "{{ lookup('release', 'vault').path }}"),
            "secrets_archive_sha256": os.environ.get("GOLIVE_STORE_ARCHIVE_SHA256", "{{ lookup('release', 'vault').sha256 }}")}


def is_openbao() -> bool:
    return program().name == "bao"


@dataclass
class Server:
    """A running store; `restart` is what a crash and a new start do to it: it comes back sealed."""

    folder: Path
    settings: Settings
    process: subprocess.Popen[bytes] | None = None
    prefix: list[str] = field(default_factory=list)

    def start(self) -> None:
        binary = program()
        assert binary.is_file(), "the vault binary is not built: run `make lab` or scripts/setup vault"
        self.process = subprocess.Popen([*self.prefix, str(binary), "server", "-config", str(self.folder / "vault.hcl")],
                                        stdout=(self.folder / "out").open("ab"), stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while True:
            try:
                client.said(client.unauthenticated(self.settings).sys.read_seal_status, "answer")
                return
            except GoliveError:
                assert self.process.poll() is None, (self.folder / "out").read_text()
                assert time.monotonic() < deadline, "the store did not answer in time"
                time.sleep(0.1)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()


def await_that(condition: Callable[[], object], seconds: float = 90) -> None:
    """Ask until it is true; the deadline only ends a test that will never pass."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.2)


_GIVEN: set[int] = set()


def free_ports() -> tuple[int, int]:
    """Return a port for clients and one for the cluster, never one twice: a node that is prepared does not listen yet."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            two.bind(("127.0.0.1", 0))
            found = int(one.getsockname()[1]), int(two.getsockname()[1])
        if not _GIVEN & set(found):
            _GIVEN.update(found)
            return found


def prepare(folder: Path, node: str = "one") -> Server:
    """Write certificate and configuration of a store into a folder; nothing runs yet."""
    port, cluster = free_ports()
    certificate(folder)
    (folder / "data").mkdir()
    # Most tests make their audit devices by the API, as with Vault; how the role has them of OpenBao is in test_openbao.py.
    own = "unsafe_allow_api_audit_creation = true" if is_openbao() else "disable_mlock = true"
    (folder / "vault.hcl").write_text(f"""
ui = false
{own}
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster}"
plugin_directory = "{program().resolve().parent}"
storage "raft" {{ path = "{folder}/data"
  performance_multiplier = 1
  node_id = "{node}" }}
listener "tcp" {{ address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster}"
  tls_cert_file = "{folder}/server.crt"
  tls_key_file = "{folder}/server.key"
  {"disable_unauthed_generate_root_endpoints = false" if is_openbao() else ""} }}
""")
    return Server(folder, Settings(f"https://127.0.0.1:{port}", folder / "server.crt", folder / "identity.json"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = prepare(tmp_path)
    running.start()
    yield running
    running.kill()


@dataclass
class Opened:
    """An unsealed store with its root token: for tests of what is configured, not of how it is brought up."""

    server: Server
    token: str
    key: str

    def root(self) -> hvac.Client:
        connected = client.unauthenticated(self.server.settings, 60)
        connected.token = self.token
        return connected

    def cli(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Ask by the server's own command line."""
        where = self.server.settings
        ours = {"ADDR": where.address, "CACERT": str(where.ca_file), "TOKEN": self.token}
        environment = {f"{name}_{key}": value for name in ("VAULT", "BAO") for key, value in ours.items()}
        environment |= {"PATH": "/usr/bin:/bin", "HOME": str(self.server.folder)}
        done = subprocess.run([str(program()), *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done

    def read(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.cli("read", "-format=json", path).stdout)["data"]
        return found

    def unseal(self) -> None:
        self.root().sys.submit_unseal_key(self.key)
        bring_up._await_active(client.unauthenticated(self.server.settings))


def open_store(server: Server) -> Opened:
    """Initialise a running store with one key and unseal it."""
    made = client.unauthenticated(server.settings, 60).sys.initialize(secret_shares=1, secret_threshold=1)
    opened = Opened(server, made["root_token"], made["keys_base64"][0])
    opened.unseal()
    return opened


@pytest.fixture
def opened(server: Server) -> Opened:
    return open_store(server)


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test store")])
    now = datetime.datetime.now(datetime.UTC)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(key, hashes.SHA256()))
    (folder / "server.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "server.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
