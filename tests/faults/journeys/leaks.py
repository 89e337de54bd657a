"""`python -m tests.faults.journeys.leaks [--outputs FOLDER]`: every secret of the store, searched in every byte that the journeys wrote.

Run it behind a journey or the crash campaign (`--outputs`: what the runs said at -vvvv). Searched are the controller (reports, Ansible's
own folders, the outputs, arguments and environment of processes) and each host: every file that differs from the image it was made of,
what lies in memory file systems, journal, processes. Plain, base64, hex, url, JSON-escaped, reversed and in pieces (`golive.leaks`).

Where a secret is meant to be is in `MEANT`, with the reason; everything else is a leak. The search is proven first: the same secrets are
planted in four forms on a host and on the controller, and each plant has to be found.
"""
from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from golive.canonical import utc
from golive.leaks.index import Index
from golive.leaks.places import Search
from golive.rundir import write_atomic
from golive.session import ROOT, reports_of

from ..harness import bound, compiled, store_breaks
from ..harness.lab import INVENTORY, Lab

RECORD = ROOT / "tests/records/leak_campaign.json"
MOUNT = "kv"
#: pattern of a place -> why the secret is meant to be there
MEANT: Mapping[str, str] = {
    r"^vault: .*(/var/lib/vault|raft)": "the store itself, encrypted by its own barrier",
    r"^(bot|outside|guard|vault|venue): .*/run/credentials/": "systemd hands a unit its credential in a memory file system of its own",
    r"^bot: .*/etc/(golive|bot)/[^ ]*(credentials?|secrets?)/": "root-only files from which systemd loads a unit's credentials",
    r"^venue: .*(/etc/exchange-sandbox/|/var/lib/exchange-sandbox/)": "the rehearsal exchange knows the secrets of the keys that it mints",
    r"^outside: .*/etc/golive/alert_receiver": "the alert receiver compares its own token",
    r"^(guard|outside): .*/etc/golive/kill_switch": "the kill switch holds its own sealed key",
    r"^guard: .*/etc/golive/guard": "the guard holds its own query key",
}


def secrets_of(world: Lab) -> dict[str, str]:
    """Return reference -> value of everything in the store's key-value engine."""
    found: dict[str, str] = {}
    with store_breaks.as_root(world) as client:
        for path in _paths(client, ""):
            read = client.secrets.kv.v2.read_secret_version(path=path, mount_point=MOUNT, raise_on_deleted_version=False)
            data = read["data"]["data"] or {}
            for field, value in data.items():
                found.update(_parts(f"{path}#{field}", str(value)))
    return {name: value for name, value in found.items() if len(value) >= 12}


def _parts(name: str, value: str) -> dict[str, str]:
    try:
        inner = json.loads(value)
    except ValueError:
        return {name: value}
    if not isinstance(inner, dict):
        return {name: value}
    # An exchange key's public id is in every request; its secret is what must not be seen.
    return {f"{name}.{part}": str(one) for part, one in inner.items() if part not in ("key", "id")}


def _paths(client: Any, prefix: str) -> Iterator[str]:
    for name in client.secrets.kv.v2.list_secrets(path=prefix, mount_point=MOUNT)["data"]["keys"]:
        if name.endswith("/"):
            yield from _paths(client, prefix + name)
        else:
            yield prefix + name


def host(search: Search, world: Lab, name: str) -> None:
    """Search what was written on a host: all that differs from its image, its memory file systems, its journal, its processes."""
    container = f"golive-{world.lab}-{name}"
    changed = subprocess.run(["docker", "diff", container], capture_output=True, text=True, check=True).stdout.splitlines()
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\0".join(line[2:].lstrip("/") for line in changed if line[0] in "AC"))
        listed.flush()
        subprocess.run(["docker", "cp", listed.name, f"{container}:/opt/golive-changed.txt"], check=True, capture_output=True)
    tar = "tar --ignore-failed-read --null --no-recursion -C / -cf - -T /opt/golive-changed.txt 2>/dev/null || true"
    search.command(["docker", "exec", container, "sh", "-c", tar], f"{name}: files")
    world.on(name, "rm -f /opt/golive-changed.txt")
    memory = "tar --ignore-failed-read -C / -cf - run tmp dev/shm 2>/dev/null || true"
    search.command(["docker", "exec", container, "sh", "-c", memory], f"{name}: memory file systems")
    search.command(["docker", "exec", container, "journalctl", "--no-pager", "--all", "--output", "export"], f"{name}: journal")
    around = "for p in /proc/[0-9]*; do cat $p/cmdline $p/environ 2>/dev/null; echo; done"
    search.command(["docker", "exec", container, "sh", "-c", around], f"{name}: arguments and environment")


def controller(search: Search, outputs: Path | None) -> None:
    """Search what the runs wrote on the controller."""
    for place in (reports_of(compiled.SYSTEM), Path.home() / ".ansible", INVENTORY.parent / "group_vars", outputs):
        if place is not None and place.exists():
            search.tree(str(place))


def planted(world: Lab, index: Index, values: Mapping[str, str]) -> list[str]:
    """Plant secrets in four forms on a host and on the controller; return those plants that the search does not find."""
    value = max(values.values(), key=len).encode()
    forms = {"plain": value, "base64": base64.b64encode(value), "hex": value.hex().encode(), "url": quote(value, safe="").encode(),
             "reversed": value[::-1]}
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for form, data in forms.items():
            world.on("bot", f"cat > /var/tmp/golive-plant-{form}", data=b"noise " + data + b" noise")
            (Path(folder) / form).write_bytes(b"noise " + data + b" noise")
        there, here = Search(index), Search(index)
        host(there, world, "bot")
        here.tree(folder)
        for form in forms:
            missed += [f"{form} on a host"] * (not any(f"golive-plant-{form}" in one.where for one in there.found))
            missed += [f"{form} on the controller"] * (not any(one.where.endswith(f"/{form}") for one in here.found))
        world.on("bot", "rm -f /var/tmp/golive-plant-*")
    return missed


def main() -> int:
    """Search and write the record; 2 when a secret stands where it should not, or a plant was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.journeys.leaks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outputs", type=Path)
    options = parser.parse_args()
    world = Lab()
    values = secrets_of(world)
    index = Index.build(values)
    missed = planted(world, index, values)
    search = Search(index)
    for name in sorted(one for one in world.addresses if one != "controller"):
        host(search, world, name)
    controller(search, options.outputs)
    world.close()
    places = sorted({f"{one.where.replace(str(ROOT), '')}: {one.secret} ({one.form})" for one in search.found})
    meant = [one for one in places if any(re.search(pattern, one) for pattern in MEANT)]
    leaks = [one for one in places if one not in meant]
    figures = {"secrets searched for": len(values), "things searched": search.things, "MiB searched": search.bytes >> 20,
               "places where a secret is meant to be": len(meant), "leaks": len(leaks), "not read": len(search.unread),
               "plants that were not found": len(missed), "outputs at -vvvv": bool(options.outputs)}
    body = {"title": "Leaks", "at": utc(), "bound": bound.now("leak_campaign"),
            "figures": figures, "leaks": leaks, "meant": meant, "unread": search.unread, "missed": missed,
            "allowed": dict(MEANT),
            "about": "Every secret of the rehearsal's store in every spelling, searched in every byte that journeys and crashes wrote on "
                     "controller and hosts; the search itself is proven by planted secrets.",
            "notes": [f"leak: {one}" for one in leaks] + [f"not read: {one}" for one in search.unread[:10]]}
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)
    print(json.dumps(figures, indent=1), *leaks, *missed, *search.unread[:20], sep="\n")
    return 2 if leaks or missed else 0


if __name__ == "__main__":
    sys.exit(main())
