"""A real store on loopback: HashiCorp Vault with integrated storage and TLS, in a folder of the test's own."""
from __future__ import annotations

import datetime
import ipaddress
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from golive.errors import GoliveError
from golive.lab.vault_binary import vault_folder
from golive.store import client
from golive.store.settings import Settings


@dataclass
class Server:
    """A running store; `restart` is what a crash and a new start do to it: it comes back sealed."""

    folder: Path
    settings: Settings
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = vault_folder() / "vault"
        assert binary.is_file(), "the vault binary is not built: run `make lab` or scripts/setup vault"
        self.process = subprocess.Popen([str(binary), "server", "-config", str(self.folder / "vault.hcl")],
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    certificate(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "vault.hcl").write_text(f"""
ui = false
disable_mlock = true
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{port + 1}"
storage "raft" {{ path = "{tmp_path}/data"
  performance_multiplier = 1
  node_id = "one" }}
listener "tcp" {{ address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{port + 1}"
  tls_cert_file = "{tmp_path}/server.crt"
  tls_key_file = "{tmp_path}/server.key" }}
""")
    running = Server(tmp_path, Settings(f"https://127.0.0.1:{port}", tmp_path / "server.crt", tmp_path / "identity.json"))
    running.start()
    yield running
    running.kill()


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
