"""The end state of a lab: every object that golive manages, as kernel, systemd and dpkg show it, and what the venue knows of orders.

What differs by nature between two builds is left out, with its reason (`BY_NATURE`).
"""
from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from golive.audit import AuditLog
from golive.canonical import digest
from golive.rundir import RunDir
from golive.session import reports_of

from ..harness import compiled
from ..harness.lab import Lab

#: pattern of an object -> why its content is another one in each build; kind, mode and owner are compared all the same
BY_NATURE: Mapping[str, str] = {
    r"^(certificate|trust):": "keys and certificates are made anew",
    r"/etc/golive/tls/|\.(key|crt|pem)$": "keys and certificates are made anew",
    r"\.cred$|^sealed": "sealed to the host with a fresh key",
    r"^(keys|identity):|id_ed25519|authorized_keys|known[-_]hosts|recipients": "identities that a host makes for itself",
    r"^file:/etc/golive/arm/|^dir:/etc/golive/arm/tickets/|^link:/etc/golive/arm/": "a ticket has a nonce and a time",
    r"sandbox.*(token|config)|[._]token$|^file:/etc/bot/credentials/": "tokens, passwords and keys of the exchange are drawn anew",
    r"^file:/etc/(bot|golive)/.*\.json$": "holds keys' fingerprints and addresses of tokens that are drawn anew",
    r"^release:|^link:.*/current$": "compared by name: the name is the digest of the content",
}

LOOK = r"""
import hashlib, json, os, pwd, grp, subprocess, sys
def out(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout.strip()
found = {}
for one in json.load(sys.stdin):
    kind, _, name = one.partition(":")
    if kind in ("file", "dir", "link", "certificate", "trust", "release"):
        try:
            st = os.lstat(name)
        except OSError as exc:
            found[one] = {"missing": exc.strerror}
            continue
        facts = {"mode": oct(st.st_mode), "owner": "%s:%s" % (pwd.getpwuid(st.st_uid).pw_name, grp.getgrgid(st.st_gid).gr_name)}
        if os.path.islink(name):
            facts["to"] = os.readlink(name)
        elif os.path.isfile(name):
            facts["content"] = hashlib.sha256(open(name, "rb").read()).hexdigest()
        found[one] = facts
    elif kind == "unit":
        found[one] = dict(line.split("=", 1) for line in out("systemctl", "show", "-p", "ActiveState,UnitFileState", name).splitlines())
    elif kind == "package":
        found[one] = {"version": out("dpkg-query", "-W", "-f", "${Status} ${Version}", name)}
    elif kind in ("user", "group"):
        base, keep = ("passwd", 4) if kind == "user" else ("group", 3)  # not the numbers: the next free one is taken
        found[one] = {"line": ":".join(out("getent", base, name).split(":")[keep:])}
print(json.dumps(found))
"""


def managed(world: Lab) -> dict[str, set[str]]:
    """Return host -> objects that any real run on this lab has made."""
    found: dict[str, set[str]] = {}
    for folder in sorted(path for path in reports_of(compiled.SYSTEM).iterdir() if path.is_dir() and not path.is_symlink()):
        for line in RunDir(folder).lines("changes.jsonl"):
            if not line["check"] and line["host"] in world.addresses and line["host"] != "controller":
                found.setdefault(line["host"], set()).add(line["object"])
    return found


def look(world: Lab, objects: Mapping[str, Iterable[str]]) -> dict[str, dict[str, Any]]:
    """Return host -> object -> facts, what differs by nature without its content."""
    found = {}
    for host, names in objects.items():
        script = f"cat > /run/golive-state.py <<'GOLIVE'\n{LOOK}\nGOLIVE\n"
        world.on(host, script)
        told = world.on(host, "python3 /run/golive-state.py; rm -f /run/golive-state.py", data=json.dumps(sorted(names)).encode())
        facts = json.loads(told)
        for name, one in facts.items():
            if any(re.search(pattern, name) for pattern in BY_NATURE):
                one.pop("content", None)
                one.pop("to", None)
        found[host] = facts
    return found


def different(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return in words where two states differ."""
    words = []
    for host in sorted(set(one) | set(other)):
        here, there = one.get(host, {}), other.get(host, {})
        words += [f"{host} {name}: {here.get(name)} and {there.get(name)}" for name in sorted(set(here) | set(there))
                  if here.get(name) != there.get(name)]
    return words


def state_digest(state: Mapping[str, Any]) -> str:
    """Return the one number of an end state."""
    return digest(state)


def money(world: Lab) -> dict[str, Any]:
    """Return what the audit chain and the venue say of money acts: each armed ticket once, no order id twice, the chain whole."""
    chain = AuditLog(str(reports_of(compiled.SYSTEM) / "audit.jsonl")).verify()
    armed = [str(line["detail"]["ticket"]) for line in chain.lines if line["act"] == "arm.done"]
    twice, count = {}, 0
    for account in ("live", "wire"):
        orders = world.admin("GET", f"state/{account}").get("orders") or {}
        rows = orders if isinstance(orders, list) else [one for every in orders.values() if isinstance(every, list) for one in every]
        count += len(rows)
        names = [str(one.get("cl_ord_id") or one.get("client_id") or one.get("userref") or one.get("id")) for one in rows]
        twice[account] = sorted({one for one in names if names.count(one) > 1})
    return {"armed": len(armed), "armed_twice": sorted({one for one in armed if armed.count(one) > 1}), "orders_twice": twice,
            "orders": count, "audit_lines": len(chain.lines)}
