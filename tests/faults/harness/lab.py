"""The world of the lab: hosts that `golive.yml` has built, seen by ssh with golive's own bundle, broken past it (container, venue).

Needs a lab of the inventory in GOLIVE_INVENTORY (default: the rehearsal's) and a run of the journey on it, whose frozen
profile is used.
"""
from __future__ import annotations

import json
import os
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from golive import bundle, plan, profile, secrets, session
from golive import compile as compiler
from golive.errors import GoliveError

from . import compiled
from .world import World, ask_here, load, run

INVENTORY = Path(os.environ.get("GOLIVE_INVENTORY") or session.ROOT / "inventories" / compiled.SYSTEM / "lab.yml")
# Hang on the market of the moment, or, once the lab is live, on what its bot holds just now: no neighbours of a break of something else.
LUCK = {"ledger.net_return_positive", "account.opening_state"}
OWN_WORLD = {"drill", "ci", "load_test", "report", "source", "git", "attestation"}
ADMIN = "vault:kv/kraken-micro/sandbox/admin#token"


class Lab(World):
    """The hosts of one lab. `values` are the secrets as a plan would carry them; a fault may change what is delivered."""

    name = "lab"

    def __init__(self) -> None:
        super().__init__()
        inventory = yaml.safe_load(INVENTORY.read_text("utf-8"))["all"]["children"]
        self.lab = str(inventory["rehearsal"]["vars"]["lab_name"])
        self.run_dir = (session.reports_of(compiled.SYSTEM) / "latest").resolve()
        self.info = load(self.run_dir / "run.json")
        self.groups, self.addresses, self.run = self.info["groups"], self.info["addresses"], self.info["run"]
        frozen = load(self.run_dir / "profile.json")
        # The catalogue as it is now (that is what is to be proven), with the numbers and addresses of this lab.
        bound = profile.Profile({**compiled.bound().values, **frozen["values"]}, frozen["scaled"])
        self.controls: dict[str, dict[str, Any]] = compiler.compile_system(compiled.SYSTEM, bound).controls
        self.profile: dict[str, Any] = bound.values
        folder = INVENTORY.parent / "lab"
        self.ca = folder / f"{self.lab}.ca.crt"
        self.variables = {"inventory_file": str(INVENTORY), "vault_address": self.profile["vault_address"],
                          "vault_controller_ca_file": str(self.ca),
                          "vault_controller_identity": str(folder / f"{self.lab}.store/identity.json")}
        self.ssh = ["ssh", "-i", str(folder / f"{self.lab}.ssh_key"), "-o", f"UserKnownHostsFile={INVENTORY.parent / 'known_hosts'}",
                    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlgorithms=ssh-ed25519",
                    "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=10", "-o", "ControlMaster=auto", "-o", "ControlPersist=60",
                    "-o", f"ControlPath=/tmp/golive-faults-{os.getpid()}-%C"]
        self.values: dict[str, str] = {}
        self.kept: dict[str, Any] = {}

    def catalogue(self) -> Mapping[str, Mapping[str, Any]]:
        return self.controls

    def can_show(self) -> set[str]:
        return {name for name, one in self.controls.items() if one["built"] and not one["attest"] and one["probe"] not in OWN_WORLD}

    def neighbours(self) -> set[str]:
        # What counts opportunities in a window turns undecided when the lab trades little; it is watched where a break declares it.
        return {name for name in self.can_show() if self.controls[name]["min_opportunities"] is None} - LUCK

    def ask(self, host: str, questions: dict[str, Any]) -> list[dict[str, Any]]:
        values = {one: self.value(one) for one in plan.secret_references(questions)}
        if host == plan.CONTROLLER:
            return ask_here(questions, {"root": str(session.ROOT), "run_dir": str(self.run_dir), "system": compiled.SYSTEM}, values)
        try:
            done = subprocess.run([*self.ssh, f"golive@{self.addresses[host]}", "sudo -n /usr/bin/python3 -ISE -"],
                                  input=bundle.script(questions, values), capture_output=True, check=False,
                                  timeout=questions["deadline_s"] + 30)
        except subprocess.TimeoutExpired:
            raise GoliveError("not reached in time", where=host) from None
        found = session.answers(done.stdout.decode("utf-8", "replace"), questions["nonce"])
        return [one for one in found if isinstance(one.get("id"), str)]

    def value(self, reference: str) -> str:
        """Return a secret as the store holds it (read once), or as a fault has changed it."""
        if reference not in self.values:
            self.values[reference] = secrets.resolve(reference, self.variables)
        return self.values[reference]

    def on(self, host: str, script: str, check: bool = True, data: bytes | None = None) -> str:
        """Run a shell script as root inside a host, past ssh and firewall."""
        return run("docker", "exec", "-i", f"golive-{self.lab}-{host}", "sh", "-ec", script, check=check, data=data)

    def read(self, host: str, path: str) -> bytes:
        """Return a file of a host."""
        return subprocess.run(["docker", "exec", f"golive-{self.lab}-{host}", "cat", path], capture_output=True, check=True).stdout

    def admin(self, method: str, path: str, data: Any = None) -> Any:
        """Ask the rehearsal exchange's administration."""
        context = ssl.create_default_context(cafile=str(self.ca))
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(f"https://{self.addresses['venue']}:9443/sandbox/v1/{path}", data=body, method=method,
                                         headers={"Authorization": "Bearer " + self.value(ADMIN)})
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as exc:
            raise RuntimeError(f"{method} {path}: {exc.code} {exc.read()[:200].decode(errors='replace')}") from None

    def close(self) -> None:
        for host in self.addresses:
            subprocess.run([*self.ssh, "-O", "exit", f"golive@{self.addresses[host]}"], capture_output=True, check=False)
