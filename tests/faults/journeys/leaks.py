"""`python -m tests.faults.journeys.leaks`: every secret of the store, and canaries of every shape, searched in every byte that runs wrote.

Canaries are driven through modules and journeys first (`canary_runs`: used, refused, failed, killed, at -vvvv --diff), arguments and
environment of all processes being searched meanwhile. Then are searched: the controller (reports, Ansible's own folders, temporary files,
what these runs and those of the crash campaign said at -vvvv) and each host: every file that differs from the image it was made of, what
lies in memory file systems, journal, processes. Plain, base64, hex, url, JSON-escaped, reversed and in pieces (`golive.leaks`).

Where a secret is meant to be is in `MEANT`, with the reason; everything else is a leak. The search is proven first: the same secrets are
planted in every form on a host and on the controller, and each plant has to be found.
"""
from __future__ import annotations

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
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
from . import canary_runs, driving

RECORD = ROOT / "tests/records/leak_campaign.json"
MOUNT = "kv"
CANARY = "/canary/"
#: places that a search keeps (golive.leaks.places)
MOST = 1000
#: what apt unpacks or keeps for itself is not searched
PACKAGED = r"^/(usr/(?!local)|var/lib/(apt|dpkg)/|var/cache/)"
#: forms of each plant
PLANTS = 6
#: pattern of a place -> why the secret is meant to be there
MEANT: Mapping[str, str] = {
    r"^vault: .*(var/lib/vault|raft)": "the store itself, encrypted by its own barrier",
    r"^(bot|outside|guard|vault|venue): .*[!/ ]run/credentials/": "systemd hands a unit its credential in a memory file system of its own",
    r"^bot: .*[!/]etc/(golive|bot)/[^ ]*(credentials?|secrets?)/": "root-only files from which systemd loads a unit's credentials",
    r"^venue: .*(etc/exchange-sandbox/|var/lib/(private/)?exchange-sandbox/)": "the exchange knows the secrets of the keys that it mints",
    r"^outside: .*etc/golive/alert_receiver": "the alert receiver compares its own token",
    r"^(guard|outside): .*etc/golive/kill_switch": "the kill switch holds its own sealed key",
    r"^bot: .*etc/golive/prometheus/alertmanager\.token: .*/alerts/receiver": "by which alerts are sent; root's alone",
    r"^(guard|outside): .*etc/golive/(kill|guard)_page_token: .*/alerts/receiver": "by which kill switch and guard page; root's alone",
    r"^guard: .*etc/golive/guard": "the guard holds its own query key",
    r"^\w+: files!var/lib/golive-canary/[^ ]+: .*/canary/": "the canaries were delivered there",
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
    told = subprocess.run(["docker", "diff", container], capture_output=True, text=True, check=True).stdout.splitlines()
    changed = [line for line in told if not re.search(PACKAGED, line[2:])]
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
    ours = (one for one in Path(tempfile.gettempdir()).glob("*") if re.match(r"golive|ansible|tmp", one.name) and not one.is_socket())
    for place in (reports_of(compiled.SYSTEM), Path.home() / ".ansible", INVENTORY.parent / "group_vars", outputs, *ours):
        if place is not None and place.exists():
            search.tree(str(place))


def join(search: Search, part: Search, look: Callable[[], None]) -> None:
    """Look by a search of its own, so that what it finds is never cut off by what others found, and add it."""
    look()
    search.found += part.found
    search.unread += [*part.unread, *(["more was found than a search keeps"] if len(part.found) >= MOST else [])]
    search.things, search.bytes = search.things + part.things, search.bytes + part.bytes


def planted(world: Lab, index: Index, values: Mapping[str, str]) -> list[str]:
    """Plant secrets in every form on a host and on the controller; return those plants that the search does not find."""
    forms: dict[str, bytes] = {}
    for name, text in sorted(values.items(), key=lambda one: len(one[1]))[-1:] + [one for one in values.items() if CANARY in one[0]]:
        value, shape = text.strip().encode(), re.sub(r"\W+", "-", name)
        forms.update({f"{shape}-plain": value, f"{shape}-base64": base64.b64encode(value), f"{shape}-hex": value.hex().encode(),
                      f"{shape}-url": quote(value, safe="").encode(), f"{shape}-json": json.dumps(text.strip()).encode(),
                      f"{shape}-reversed": text.strip()[::-1].encode()})
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        for form, data in forms.items():
            (Path(folder) / form).write_bytes(b"noise " + data + b" noise")
        packed = subprocess.run(["tar", "-C", folder, "--transform", "s,^,golive-plant-,", "-cf", "-", *forms], capture_output=True,
                                check=True)
        world.on("bot", "tar -C /var/tmp -xf -", data=packed.stdout)
        there, here = Search(index), Search(index)
        host(there, world, "bot")
        here.tree(folder)
        for form in forms:
            missed += [f"{form} on a host"] * (not any(f"golive-plant-{form}" in one.where for one in there.found))
            missed += [f"{form} on the controller"] * (not any(one.where.endswith(f"/{form}") for one in here.found))
        world.on("bot", "rm -f /var/tmp/golive-plant-*")
    return missed


def classify() -> int:
    """Judge the places that the last search found by MEANT as it is now; 2 when one of them is a leak."""
    body = json.loads(RECORD.read_text("utf-8"))
    places = sorted([*body["leaks"], *body["meant"]])
    body["meant"] = [one for one in places if any(re.search(pattern, one) for pattern in MEANT)]
    body["leaks"] = [one for one in places if one not in body["meant"]]
    body["figures"].update({"places where a secret is meant to be": len(body["meant"]), "leaks": len(body["leaks"])})
    body["allowed"], body["bound"] = dict(MEANT), bound.now("leak_campaign")
    body["notes"] = [*(f"leak: {one}" for one in body["leaks"]), *(one for one in body["notes"] if not one.startswith("leak: "))]
    write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)
    return 2 if body["leaks"] or body["missed"] else 0


def main() -> int:
    """Drive, search and write the record; 2 when a secret stands where it should not, or a plant was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.journeys.leaks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", default="20261121")
    parser.add_argument("--search-only", action="store_true", help="drive nothing: search what lies there, and write no record")
    parser.add_argument("--journeys", type=int, default=len(canary_runs.REPLACED), help="journeys with a canary in place of a credential")
    parser.add_argument("--leave", action="store_true", help="leave it to the next journey to put the lab's own credentials back")
    parser.add_argument("--classify", action="store_true", help="search nothing: judge the places of the record by MEANT as it is now")
    options = parser.parse_args()
    if options.classify:
        return classify()
    world = Lab()
    outputs = INVENTORY.parent / "lab" / f"{world.lab}.outputs"
    made = canary_runs.shapes(options.seed)
    if not options.search_only:
        canary_runs.store(world, made)
    values = secrets_of(world)
    index = Index.build(values)
    search = Search(index)
    if not options.search_only:
        with tempfile.TemporaryDirectory() as folder, canary_runs.Watch(search):
            canary_runs.drive(world, made, Path(folder), outputs, options.journeys)
    missed = planted(world, index, values)
    for name in sorted(one for one in world.addresses if one != "controller"):
        join(search, part := Search(index), lambda: host(part, world, name))  # noqa: B023 (called at once)
    join(search, part := Search(index), lambda: controller(part, outputs))
    places = sorted({f"{one.where.replace(str(ROOT), '')}: {one.secret} ({one.form})" for one in search.found})
    meant = [one for one in places if any(re.search(pattern, one) for pattern in MEANT)]
    leaks = [one for one in places if one not in meant]
    reached = {one.secret for one in search.found if canary_runs.FOLDER.lstrip("/") in one.where and CANARY in one.secret}
    figures = {"secrets searched for": len(values), "canaries": len(made), **canary_runs.told(outputs),
               "canaries found where they were delivered": len(reached),
               "outputs at -vvvv searched": len(list(outputs.glob("*.txt"))), "things searched": search.things,
               "MiB searched": search.bytes >> 20, "places where a secret is meant to be": len(meant), "leaks": len(leaks),
               "not read": len(search.unread), "plants": PLANTS * (len(made) + 1) * 2, "plants that were not found": len(missed),
               "seed": options.seed}
    body = {"title": "Leaks", "at": utc(), "bound": bound.now("leak_campaign"), "whole": True,
            "figures": figures, "leaks": leaks, "meant": meant, "unread": search.unread, "missed": missed,
            "allowed": dict(MEANT), "not searched": PACKAGED,
            "about": "Every secret of the rehearsal's store, and canaries of every shape, in every spelling, searched in every byte that "
                     "journeys, failures and crashes wrote on controller and hosts; the search itself is proven by planted secrets.",
            "notes": [f"leak: {one}" for one in leaks] + [f"not read: {one}" for one in search.unread[:10]]}
    print(json.dumps(figures, indent=1), *leaks, *missed, *search.unread[:20], sep="\n")
    if not options.search_only:
        (outputs / "driven").unlink(missing_ok=True)
        write_atomic(RECORD, (json.dumps(body, indent=1, ensure_ascii=False) + "\n").encode(), 0o644)
        canary_runs.forget(world, made)
        if options.journeys and not options.leave:
            driving.to_its_end()  # with the credentials that are its own again
    world.close()
    return 2 if leaks or missed else 0


if __name__ == "__main__":
    sys.exit(main())
