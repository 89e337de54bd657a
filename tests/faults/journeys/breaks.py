"""What can die under a running journey: the controller, its connections, a process on a host, a host's power, its cable, its disk."""
from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from golive.session import ROOT

from ..harness.lab import Lab
from ..harness.venue_breaks import release
from . import driving

#: returns whether something was hit
Act = Callable[["subprocess.Popen[str]"], bool]
HOSTS = ("bot", "guard", "outside", "vault", "venue")
WAIT_S = 20.0
#: where a host gets a disk of its own, so small that it is full: the first that is there
PLACES = "for P in /etc/golive /opt; do test -d $P && break; done"
FILL = (f"{PLACES}; echo $P > /run/golive-full; mkdir -p /run/golive-under; mount --bind $P /run/golive-under; "
        "mount --make-private /run/golive-under; "  # else what is mounted on the one appears on the other
        "mount -t tmpfs -o size=$(( $(du -sk $P | cut -f1) + 64 ))k,mode=$(stat -c %a $P) golive-full $P; cp -a /run/golive-under/. $P/; "
        "dd if=/dev/zero of=$P/.golive-filler bs=1k 2>/dev/null || true; "
        "test \"$(df --output=avail $P | tail -1 | tr -d ' ')\" = 0")
#: what was written there is kept, as on a disk that was made larger
FREE = ("test -f /run/golive-full || exit 0; P=$(cat /run/golive-full); rm -f $P/.golive-filler; "
        "find /run/golive-under -mindepth 1 -delete; cp -a $P/. /run/golive-under/; "
        "umount -l $P; umount /run/golive-under; rmdir /run/golive-under; rm /run/golive-full")


def lab(*words: str) -> None:
    """Let the lab do something with its hosts."""
    subprocess.run([sys.executable, "-m", "golive.lab", *words], cwd=ROOT, check=True, capture_output=True)


def connections(world: Lab) -> Act:
    """Kill the ssh processes that hold a connection to a host of this lab."""
    hosts = {address for name, address in world.addresses.items() if name != "controller"}

    def act(process: subprocess.Popen[str]) -> bool:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and process.poll() is None:
            rows = subprocess.run(["ss", "-Htnp", "state", "established"], capture_output=True, text=True, check=True).stdout.splitlines()
            found = {int(number) for row in rows if len(row.split()) > 4 and row.split()[3].rpartition(":")[0] in hosts
                     for number in re.findall(r'"ssh",pid=(\d+)', row)}
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if found:
                return True
            time.sleep(0.1)
        return False

    return act


def on_target(world: Lab, host: str) -> Act:
    """Kill what sudo started last for golive's login: the module or the runner, and all below it."""
    script = ("kill_below() { for c in $(pgrep -P $1); do kill_below $c; kill -9 $c && echo $c; done; }; "
              "for p in $(pgrep -x sudo | sort -rn | head -1); do kill_below $p; done")

    def act(process: subprocess.Popen[str]) -> bool:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end and process.poll() is None:
            if world.on(host, script, check=False).split():
                return True
        return False

    return act


def power(world: Lab, host: str) -> Act:
    """Take a host's power away, and give it back."""
    name = f"golive-{world.lab}-{host}"

    def act(_process: subprocess.Popen[str]) -> bool:
        subprocess.run(["docker", "kill", name], check=True, capture_output=True)
        subprocess.run(["docker", "start", name], check=True, capture_output=True)
        return True

    return act


def cable(host: str) -> Act:
    """Pull a host's cable; it stays out until the run has ended."""

    def act(_process: subprocess.Popen[str]) -> bool:
        lab("cut", host)
        return True

    return act


def disk(world: Lab, host: str) -> Act:
    """Let a host's disk be full where golive writes; it stays full until the run has ended."""

    def act(_process: subprocess.Popen[str]) -> bool:
        world.on(host, FILL)
        return True

    return act


def controller(process: subprocess.Popen[str]) -> bool:
    """Kill the controller with all that it started."""
    driving.kill_all(process)
    return True


@contextlib.contextmanager
def healed(world: Lab, kind: str, host: str) -> Iterator[None]:
    """Undo behind the run what a break of this kind leaves."""
    try:
        yield
    finally:
        if kind in ("cable", "power"):
            lab("heal", host)  # plugged in, and up: the next run begins with a host that answers
            if host in ("bot", "venue"):  # a bot whose venue was gone trades no more until a person says why it may
                release(world, "shadow", "wire", "live")
        elif kind == "disk full":
            world.on(host, FREE)


def act_of(world: Lab, kind: str, host: str) -> Act:
    """Return what a break of this kind does."""
    makers: dict[str, Callable[[], Act]] = {
        "controller": lambda: controller, "connections": lambda: connections(world), "target process": lambda: on_target(world, host),
        "power": lambda: power(world, host), "cable": lambda: cable(host), "disk full": lambda: disk(world, host)}
    return makers[kind]()
