"""A PostgreSQL server on loopback for one test: its own cluster, its own port, passwords over the wire."""
from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@dataclass
class Postgres:
    """`ask` runs one statement as a user; its answer is text, its failure an AssertionError with the server's words."""

    port: int
    bin: Path
    data: Path
    as_server: list[str]
    address: str = "127.0.0.1"

    def trust(self, anybody: bool = True) -> None:
        """Let anybody in without a password, as a careless pg_hba.conf does, or take that back."""
        file = self.data / "pg_hba.conf"
        words = ("scram-sha-256", "trust") if anybody else ("trust", "scram-sha-256")
        text = self._as_server("cat", str(file))
        self._as_server("tee", str(file), given=text.replace(*words))
        self._as_server(str(self.bin / "pg_ctl"), "-D", str(self.data), "reload")
        self.until(anybody)

    def _as_server(self, *command: str, given: str | None = None) -> str:
        done = subprocess.run([*self.as_server, *command], input=given, capture_output=True, text=True, check=True, cwd="/")
        return done.stdout

    def until(self, anybody: bool) -> None:
        """Wait until the server has read it."""
        deadline = time.monotonic() + 30
        command = [str(self.bin / "psql"), "-h", self.address, "-p", str(self.port), "-U", "keeper", "-d", "postgres", "-wXAtc", "select 1"]
        while (subprocess.run(command, capture_output=True, check=False).returncode == 0) != anybody:
            assert time.monotonic() < deadline, "PostgreSQL did not read its configuration"
            time.sleep(0.1)

    def ask(self, user: str, password: str, statement: str, *, fails: bool = False) -> str:
        command = [str(self.bin / "psql"), "-h", self.address, "-p", str(self.port), "-U", user, "-d", "postgres", "-XAtc", statement]
        environment = {**os.environ, "PGPASSWORD": password, "PGCONNECT_TIMEOUT": "20"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stdout.strip() if not fails else done.stderr.strip()


@contextmanager
def running(password: str, address: str = "127.0.0.1") -> Iterator[Postgres]:
    """Start a server at an address whose superuser `keeper` has this password; it is removed at the end."""
    folder = binaries()
    assert folder is not None, "PostgreSQL's server is not installed: scripts/setup databases"
    with socket.socket() as probe:
        probe.bind((address, 0))
        port = probe.getsockname()[1]
    root = Path(tempfile.mkdtemp(prefix="golive-pg-"))
    as_server = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_server:
        shutil.chown(root, "postgres", "postgres")
    (root / "pw").write_text(password)
    (root / "pw").chmod(0o644)
    data = ["-D", str(root / "data")]
    keeper = ["-U", "keeper", "--pwfile", str(root / "pw"), "-A", "scram-sha-256", "--no-sync"]
    subprocess.run([*as_server, str(folder / "initdb"), *data, *keeper], check=True, capture_output=True, cwd="/")
    with (root / "data/pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {address.rpartition('.')[0]}.0/24 scram-sha-256\n")
    listens = ["-p", str(port), "-k", str(root), "-h", address, "-c", "fsync=off"]
    server = subprocess.Popen([*as_server, str(folder / "postgres"), *data, *listens], cwd="/", stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([str(folder / "pg_isready"), "-h", address, "-p", str(port)], capture_output=True, check=False).returncode:
            assert server.poll() is None, "PostgreSQL did not start"
            assert time.monotonic() < deadline, "PostgreSQL did not answer in time"
            time.sleep(0.1)
        yield Postgres(port, folder, root / "data", as_server, address)
    finally:
        subprocess.run([*as_server, str(folder / "pg_ctl"), *data, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
        server.wait()
        shutil.rmtree(root, ignore_errors=True)
