"""What happens to a lab without anybody's hand: drift has to stay silent about it. Each is made before a drift run of its own."""
from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from golive.session import ROOT

from ..harness.lab import INVENTORY, Lab
from ..harness.world import run

BOOT_S = 120.0


def _nothing(_world: Lab) -> None:
    """Time goes on."""


def _logs(world: Lab) -> None:
    world.on("bot", "systemctl start golive-logrotate.service")
    for host in _hosts(world):
        world.on(host, "journalctl --rotate; journalctl --vacuum-files=3", check=False)


def _apt(world: Lab) -> None:
    for host in _hosts(world):
        world.on(host, "timeout 90 systemctl start apt-daily-upgrade.service", check=False)


def _backup(world: Lab) -> None:
    world.on("bot", "systemctl start golive-backup.service")


def _cache(world: Lab) -> None:
    """What other programs write beside golive: caches of apt and man, temporary files, a login."""
    for host in _hosts(world):
        world.on(host, "apt-get check -q; systemd-tmpfiles --clean; su -s /bin/sh golive -c true", check=False)


def _rebooted(host: str) -> Callable[[Lab], None]:
    def act(world: Lab) -> None:
        run("docker", "restart", f"golive-{world.lab}-{host}")
        end = time.monotonic() + BOOT_S
        while time.monotonic() < end:
            done = subprocess.run([*world.ssh, f"golive@{world.addresses[host]}", "systemctl is-system-running --wait"],
                                  capture_output=True, text=True, check=False)
            if done.stdout.strip() in ("running", "degraded"):
                return
            time.sleep(1)
        raise RuntimeError(f"{host} did not come up in {BOOT_S:g} s")

    return act


def _renewed(world: Lab) -> None:
    """The certificate of a host is made anew, and what shows it restarts. The venue's is left: its streams would end as by a reboot."""
    asked = json.dumps({"build_on": "!venues:!stores:!bots", "rotate_shown": [f"https://{world.addresses['outside']}:9094"]})
    playbook = "playbooks/operate/rotate_certificates.yml"
    run(Path(sys.executable).parent / "ansible-playbook", "-i", INVENTORY, playbook, "-e", asked, cwd=ROOT)


def _hosts(world: Lab) -> list[str]:
    return sorted(one for one in world.addresses if one != "controller")


#: in words -> what is done. The venue is not rebooted: its open cruelties and streams end, which the bots answer for.
EVENTS: tuple[tuple[str, Callable[[Lab], None]], ...] = (
    ("time went on", _nothing), ("logs and journals were rotated", _logs), ("apt's timer for upgrades ran", _apt),
    ("a backup was taken", _backup), ("outside was rebooted", _rebooted("outside")), ("temporary files were cleaned", _cache),
    ("guard was rebooted", _rebooted("guard")), ("certificates were renewed", _renewed),
)
