"""A sandbox of its own process for load and long runs, with or without TLS, and what it costs (CPU seconds, memory)."""

from __future__ import annotations

import json
import os
import secrets
import signal
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.integration.exchange_sandbox.conftest import free_port
from tests.integration.exchange_sandbox.test_tls import _certificate

ROOT = Path(__file__).parents[2]


class Process:
    """Start with `with`; `ask` is the administration, `cpu_s` and `rss_mib` what the process has used."""

    def __init__(self, directory: Path, tls: bool, profile: Path | None = None, **settings: Any) -> None:
        self.directory, self.tls = directory, tls
        self.context: ssl.SSLContext | None = None
        self.port, self.admin_port, self._token = free_port(), free_port(), secrets.token_hex(16)
        (directory / "token").write_text(self._token)
        listeners: dict[str, dict[str, Any]] = {
            "venue": {"host": "127.0.0.1", "port": self.port},
            "admin": {"host": "127.0.0.1", "port": self.admin_port},
        }
        if tls:
            certificate, private = _certificate(directory)
            self.context = ssl.create_default_context(cafile=str(certificate))
            listeners["venue"].update(certificate=str(certificate), private_key=str(private))
        config = {
            "state_dir": str(directory / "state"),
            "token_file": str(directory / "token"),
            "allow_plain_http_on_loopback": True,
            "public_rate": {"max": 1e9, "decay": 1e9},
            **listeners,
            **settings,
        }
        (directory / "config.json").write_text(json.dumps(config))
        command = [sys.executable, "-m", "exchange_sandbox", "--config", str(directory / "config.json")]
        if profile is not None:
            command[1:1] = ["-m", "cProfile", "-o", str(profile)]
        self._command = command

    def configure(self, **settings: Any) -> None:
        """Change the configuration before the start."""
        path = self.directory / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))

    def __enter__(self) -> Process:
        self.log = (self.directory / "log").open("ab")
        self.process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=self.log, stderr=self.log, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        end = time.monotonic() + 120
        while True:
            try:
                self.ask("GET", "clock")
                return self
            except OSError:
                assert self.process.poll() is None, (self.directory / "log").read_text()
                assert time.monotonic() < end, "the sandbox does not answer"
                time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.log.close()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(60)

    def ask(self, method: str, path: str, data: Any = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        url = "http://127.0.0.1:%d/sandbox/v1/%s" % (self.admin_port, path)
        request = urllib.request.Request(url, body, {"Authorization": "Bearer " + self._token}, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def metric(self, name: str) -> float:
        url = "http://127.0.0.1:%d/metrics" % self.admin_port
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + self._token})
        with urllib.request.urlopen(request, timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(name):
                    return float(line.rsplit(" ", 1)[1])
        return 0.0

    def cpu_s(self) -> float:
        """Return the CPU seconds of the process's threads, user and system, to the nanosecond."""
        threads = Path("/proc/%d/task" % self.process.pid).glob("*/schedstat")
        return sum(int(path.read_text().split()[0]) for path in threads) / 1e9

    def rss_mib(self) -> float:
        for line in Path("/proc/%d/status" % self.process.pid).read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0
