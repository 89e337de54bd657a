"""The hosts of the rehearsal as a drill reaches them: by ssh with pinned host keys, as root through sudo. Controller only."""
from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import GoliveError
from ...store.settings import token_directory

DEADLINE_S = 90.0  # of a condition or a command: generous, because a drill is judged by what it measured, not by a loaded controller


class NotSeen(Exception):
    """A condition did not come true in time: the drill has failed, and its record says at what."""


def wait_for(question: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S, pause_s: float = 0.1) -> Any:
    """Ask until the answer is true, and return it. Raises NotSeen."""
    end = time.monotonic() + deadline_s
    while True:
        found = question()
        if found:
            return found
        if time.monotonic() > end:
            raise NotSeen(what)
        time.sleep(pause_s)


@dataclass(frozen=True)
class Host:
    """One host; `ssh` is everything before the remote command."""

    name: str
    address: str
    ssh: tuple[str, ...]

    def argv(self, *command: str) -> list[str]:
        """Return the command line that runs a command there as root."""
        return [*self.ssh, "sudo -n -- " + shlex.join(command)]

    def run(self, *command: str, stdin: str | None = None, timeout: float = DEADLINE_S) -> subprocess.CompletedProcess[str]:
        """Run a command as root. Raises GoliveError when the host is not reached."""
        try:
            done = subprocess.run(self.argv(*command), input=stdin, capture_output=True, text=True, check=False, timeout=timeout,
                                  stdin=None if stdin is not None else subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise GoliveError("a command of the drill did not end in time", where=self.name, found=command[0]) from None
        if done.returncode == 255:
            words = (done.stderr.strip().splitlines() or ["no words"])[-1]
            raise GoliveError("the host was not reached", where=self.name, found=words[:160])
        return done

    def need(self, *command: str, stdin: str | None = None) -> str:
        """Run a command that must succeed and return what it printed."""
        done = self.run(*command, stdin=stdin)
        if done.returncode != 0:
            words = (done.stderr.strip().splitlines() or ["no words"])[-1]
            raise GoliveError("a step of the drill failed", where=self.name, found=f"{' '.join(command[:3])}: {words[:160]}")
        return done.stdout

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command and return it with its output piped."""
        return subprocess.Popen(self.argv(*command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(self, module: ModuleType, payload: Mapping[str, Any], places: Mapping[str, str] | None = None, timeout: float = 300) -> Any:
        """Run `main(payload)` of a one-file module here and return its answer: what an operating playbook runs, at the drill's places.

        `places` names each place as it stands in the file and what stands there for the drill. Raises GoliveError with the host's sentence.
        """
        source, nonce = Path(str(module.__file__)).read_text("utf-8"), secrets.token_hex(8)
        for there, here in (places or {}).items():
            if there not in source:
                raise GoliveError("the operating procedure has no such place any more", where=module.__name__, found=there)
            source = source.replace(there, here)
        text = json.dumps(json.dumps({**payload, "nonce": nonce}))
        done = self.run("python3", "-ISE", "-", stdin=f"{source}\n\nmain(json.loads({text}))\n", timeout=timeout)
        line = next((one for one in done.stdout.splitlines() if one.startswith(f"--golive {nonce} ")), None)
        if line is None:
            raise GoliveError("a step of the drill gave no answer", where=self.name, found=f"exit {done.returncode}")
        answer = json.loads(line.split(" ", 2)[2])
        if "problem" in answer:
            raise GoliveError(str(answer["problem"]), where=self.name)
        return answer

    def write(self, path: str, content: str, mode: str = "0600", owner: str = "root:root") -> None:
        """Write a file; its content goes over stdin, never through a command line."""
        user, _, group = owner.partition(":")
        self.need("install", "-D", "-m", mode, "-o", user, "-g", group, "/dev/stdin", path, stdin=content)

    def unit(self, name: str) -> dict[str, str]:
        """Return what systemd says about a unit."""
        shown = self.need("systemctl", "show", "--property=ActiveState,SubState,UnitFileState,LoadState,MainPID,NRestarts", name)
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def of(name: str, variables: Mapping[str, Any]) -> Host:
    """Return a host out of its inventory variables."""
    common = shlex.split(str(variables.get("ansible_ssh_common_args") or ""))
    key = ["-i", str(variables["ansible_ssh_private_key_file"])] if variables.get("ansible_ssh_private_key_file") else []
    user, address = str(variables.get("ansible_user", "root")), str(variables.get("ansible_host", name))
    return Host(name, address, ("ssh", "-o", "BatchMode=yes", *common, *key, *_shared(), f"{user}@{address}"))


def _shared() -> tuple[str, ...]:
    """Return the options by which commands share a connection: a drill has dozens of them, and a handshake costs more than most."""
    return "-o", "ControlMaster=auto", "-o", f"ControlPath={token_directory()}/drill-%C", "-o", "ControlPersist=20"
