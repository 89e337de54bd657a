"""Secrets of every shape go through golive's own modules and through the journey on the lab at -vvvv --diff: used, refused, failed, killed.

They lie in the lab's store like every secret of the system (`kraken-micro/canary/<shape>`). A play of its own delivers each to each host as
a plain and as a sealed file, and hands each to what refuses it: a path that cannot be written, a validator that prints what it is given, a
key check. It is run dry and real, and killed on both sides. Then the journey itself is given canaries in place of its own credentials.
"""
from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from golive.leaks.canaries import canaries
from golive.leaks.places import Search
from golive.session import ROOT

from ..harness import store_breaks
from ..harness.lab import INVENTORY, Lab
from . import breaks, driving

PREFIX = "kraken-micro/canary"
#: where the play lays them on a host, and nowhere else
FOLDER = "/var/lib/golive-canary"
#: credentials of the journey that are replaced, and how far it comes with them
REPLACED = ("sandbox_admin_credential", "alert_receiver_credential", "exchange_query_credential")


def shapes(seed: str) -> dict[str, str]:
    """Return the canaries by shape; six characters stand in any long text by chance, so that shape is searched elsewhere."""
    return {name: value for name, value in canaries(random.Random(seed).getrandbits(32)).items() if name != "short"}


def store(world: Lab, values: Mapping[str, str]) -> None:
    """Write the canaries into the lab's store."""
    with store_breaks.as_root(world) as client:
        for name, value in values.items():
            client.secrets.kv.v2.create_or_update_secret(path=f"{PREFIX}/{name}", secret={"value": value}, mount_point="kv")


def forget(world: Lab, values: Mapping[str, str]) -> None:
    """Take them out of store and hosts again."""
    with store_breaks.as_root(world) as client:
        for name in values:
            client.secrets.kv.v2.delete_metadata_and_all_versions(path=f"{PREFIX}/{name}", mount_point="kv")
    for host in breaks.HOSTS:
        world.on(host, f"rm -rf {FOLDER}")


def reference(name: str) -> str:
    """Return how a variable names a canary."""
    return f"vault:kv/{PREFIX}/{name}#value"


def play(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the play: what has to succeed, then what has to fail for each canary."""
    tasks: list[dict[str, Any]] = [
        {"name": "Folder", "managed_files": {"directories": [{"path": FOLDER, "mode": "0700"}],
                                             "files": [{"path": f"{FOLDER}/file", "content": "no folder\n"}]}},
        {"name": "All at once", "managed_files": {"files": [
            {"path": f"{FOLDER}/{name}", "secret": reference(name), "mode": "0600"} for name in values]}},
        {"name": "Sealed", "sealed_files": {"files": [
            {"path": f"{FOLDER}/{name}.cred", "name": name, "secret": reference(name)} for name in values]}},
    ]
    failing: list[dict[str, Any]] = []
    for name in values:
        failing += [
            {"name": f"Below a file: {name}", "ignore_errors": True, "managed_files": {"files": [
                {"path": f"{FOLDER}/file/{name}", "secret": reference(name)}]}},
            {"name": f"Validator that tells: {name}", "ignore_errors": True, "managed_files": {"files": [
                {"path": f"{FOLDER}/{name}.refused", "secret": reference(name), "validate": ["diff", "/dev/null", "%s"]}]}},
            {"name": f"Sealed below a file: {name}", "ignore_errors": True, "sealed_files": {"files": [
                {"path": f"{FOLDER}/file/{name}.cred", "name": name, "secret": reference(name)}]}},
            {"name": f"As a key: {name}", "ignore_errors": True,
             "exchange_key_permissions": {"venue": "kraken", "credential": reference(name), "rehearsal": True, "timeout": 5}},
        ]
    return [{"name": "Canaries arrive", "hosts": "targets", "gather_facts": False, "tasks": tasks},
            {"name": "Canaries are refused", "hosts": "bots", "gather_facts": False, "tasks": failing}]


def run(file: Path, out: Path, *arguments: str, act: breaks.Act | None = None, at: str = "") -> tuple[int, str]:
    """Run the play at -vvvv --diff, keep what it says, and let something die when the task `at` begins."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([str(driving.BIN / "ansible-playbook"), "-i", str(INVENTORY), str(file), "-vvvv", "--diff", *arguments],
                               cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors="replace", start_new_session=True)
    assert process.stdout is not None
    lines = []
    watch = threading.Timer(driving.LONGEST_S, lambda: driving.kill_all(process))
    watch.daemon = True
    watch.start()
    for line in process.stdout:
        lines.append(line)
        if act is not None and line.startswith(f"TASK [{at}"):
            act(process)
            act = None
    watch.cancel()
    code = process.wait()
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    (out / f"canary-{time.time_ns()}.txt").write_text("".join(lines), "utf-8")
    return code, "".join(lines)


class Watch(threading.Thread):
    """Searches arguments and environment of every process while runs run: this machine's, and the hosts', which share its kernel."""

    def __init__(self, search: Search) -> None:
        super().__init__(daemon=True)
        self.search, self.ended = search, threading.Event()
        self._seen: set[int] = set()

    def run(self) -> None:
        """Look four times a second; a text that was searched is not searched again."""
        while not self.ended.wait(0.25):
            for folder in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError):
                        text = (folder / name).read_bytes()
                        if text and hash(text) not in self._seen:
                            self._seen.add(hash(text))
                            self.search.text(text, f"{name} of a process: {text[:60].split(bytes(1))[0].decode('utf-8', 'replace')}")

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()


def drive(world: Lab, values: Mapping[str, str], folder: Path, out: Path, journeys: int) -> None:
    """Let the canaries go through everything, and through so many journeys; where that was done before, only to their places once more."""
    file, arrive, marker = folder / "canaries.yml", folder / "arrive.yml", out / "driven"
    file.write_text(json.dumps(play(values)))
    arrive.write_text(json.dumps(play(values)[:1]))
    if marker.is_file():
        run(arrive, out)
        return
    run(arrive, out, "--check")
    run(arrive, out, act=breaks.controller, at="All at once")
    run(arrive, out, act=breaks.on_target(world, "bot"), at="All at once")
    run(file, out)
    driving.OUTPUTS = out
    chosen = list(zip(REPLACED, random.Random(next(iter(values))).sample(sorted(values), len(REPLACED)), strict=True))[:journeys]
    for name, shape in chosen:
        driving.journey("-vvvv", "--diff", "-e", f"{name}={reference(shape)}")
    marker.touch()


def told(out: Path) -> dict[str, Any]:
    """Return in numbers what the kept outputs tell."""
    texts = {path.name: path.read_text("utf-8") for path in sorted(out.glob("*.txt"))}
    plays = [text for name, text in texts.items() if name.startswith("canary-")]
    journeys = [text for name, text in texts.items() if not name.startswith("canary-")]
    return {"runs of the canaries' play": len(plays), "of them killed": sum("PLAY RECAP" not in text for text in plays),
            "of them with a killed module": sum("failed=1" in text and "ignored=0" in text for text in plays),
            "tasks that failed with a canary in hand": sum(text.count("...ignoring") for text in plays),
            "journeys at -vvvv --diff": len(journeys), "of them that failed or were killed":
            sum("PLAY RECAP" not in text or bool(re.search(r"failed=[1-9]|unreachable=[1-9]", text)) for text in journeys)}
