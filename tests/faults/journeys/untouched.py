"""Which files were written on the hosts since a mark? All file systems are looked at; what is left out has a reason."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..harness.lab import Lab

MARK = "/run/golive-mark"
#: pattern of `host path` -> why it is written while nobody changes anything
EXCLUDED: Mapping[str, str] = {
    r"^\w+ /run/golive-mark$": "the mark of this look",
    r"^\w+ (/run|/tmp|/var|/var/tmp|/dev/shm|/root|/home/golive)$": "a folder in which something came and went, and is no more",
    r"^\w+ /run/(systemd|user|sudo|utmp|motd|sshd|chrony|dbus|udev|lock|log|credentials|screen)": "who is logged in and what runs",
    r"^\w+ /var/log(/|$)": "logs: every login of the look itself is written there",
    r"^\w+ /var/cache(/apt(/(src)?pkgcache\.bin)?)?$": "apt makes its index of packages anew when it is asked and the lists are younger",
    r"^\w+ (/var/lib/apt(/(periodic(/[a-z-]+-stamp)?|daily_lock))?|/var/backups(/apt\.extended_states\.\d+(\.gz)?)?)$":
        "the daily timers of apt, which note when they ran and keep what was marked",
    r"^\w+ /etc/apt(/sources\.list)?$": "where that file is missing, unattended-upgrades makes an empty one each time",
    r"^\w+ /var/lib/(systemd|wtmpdb|lastlog|sudo|chrony|logrotate|private/systemd)": "the system's own clocks, timers and logins",
    r"^bot (/var/lib|/run)/(bot|prometheus|private/prometheus|alertmanager|golive-logrotate|golive-backup)":
        "the bot and its monitoring run on",
    r"^bot /etc/golive/arm(/seen)?$": "the ticket's own timer notes the latest time it saw, so that a clock that is set back is noticed",
    r"^guard /var/backups/golive-bot(/[a-z]+-\d{8}T\d{6}Z\.(manifest\.json|tar\.gz\.age))?$": "copies that the keeper of backups fetched",
    r"^(guard|outside) (/var/lib|/run)/(golive-|private/golive-)": "guard, watcher, receiver and keeper of backups run on",
    r"^venue /var/lib/private/exchange-sandbox": "the exchange goes on trading",
    r"^vault /(var/lib|run)/vault": "the store keeps tokens and leases of whoever asks it",
}
LOOK = (f"find / /run /tmp /dev/shm -xdev -cnewer {MARK} ! -path '/proc/*' ! -path '/sys/*' -printf '%y %p\\n' 2>/dev/null | sort -u; true")


def mark(world: Lab) -> None:
    """Put down when the look begins, on each host that is there."""
    for host in sorted(one for one in world.addresses if one != "controller"):
        world.on(host, f"rm -f {MARK}; touch {MARK}")


def written(world: Lab) -> list[str]:
    """Return `host path` of each file, link or directory whose content, mode or owner was changed since the mark, excluded or not."""
    found = []
    for host in sorted(one for one in world.addresses if one != "controller"):
        for line in world.on(host, LOOK).splitlines():
            kind, _, path = line.partition(" ")
            if kind in "fld":
                found.append(f"{host} {path}")
    return found


def counted(found: Iterable[str]) -> list[str]:
    """Return what of it is not excluded."""
    return [one for one in found if not any(re.search(pattern, one) for pattern in EXCLUDED)]
