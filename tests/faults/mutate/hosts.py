"""Random changes to what golive manages or observes on the hosts of a lab. Each is made from seed and number alone, and can be undone.

A mutation says beforehand which objects or controls drift has to name: (host, object, ops) of a managed object, or the id of a control.
"""
from __future__ import annotations

import random
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..harness.lab import Lab

KEPT = "/run/golive-mutations"
#: changing these would cut off the observer itself; drift then says "not reached", for every mutation of the batch
OBSERVERS = ("/etc/ssh", "/etc/sudoers", "/root", "/home/golive", "/etc/golive/firewall.nft", "/etc/shadow", "/etc/passwd")
#: touches whatever is looked at on this host: nothing else is changed there at the same time
EVERYTHING = "*"
STORED_KEY = "/etc/golive/arm/exchange_key.cred"
LIVE_UNIT = "bot-live.service"
HARMLESS = "\n# golive mutation\n"


@dataclass(frozen=True)
class Mutation:
    """One change. `objects`: (object, ops) that drift names on `host`, no ops = any; `controls`: ids that drift turns red instead."""

    number: int
    host: str
    family: str
    what: str
    do: str | Callable[[Lab], None]
    undo: str | Callable[[Lab], None]
    objects: tuple[tuple[str, tuple[str, ...]], ...] = ()
    controls: tuple[str, ...] = ()
    touches: tuple[str, ...] = field(default=())
    #: judged by the second half of a drift run alone (plan, probes and judge; its first half is the dry run of the roles): where no managed
    #: object can name it, so that many of them need not wait for each other, and where the playbook would refuse to begin
    by_plan: bool = False
    #: name of the profile's number of seconds after which a control has to have told, for those that judge an age; empty: at once
    told_after: str = ""

    def collides(self, other: Mutation) -> bool:
        """Return whether the two cannot be told apart, or undo each other, in one drift run."""
        if self.told_after or other.told_after:     # alone: a route or a live bot that is away as long would call the guard
            return True
        if (self.host == other.host or self.by_plan or other.by_plan) and set(self.controls) & set(other.controls):
            return True
        if self.host == other.host and EVERYTHING in (*self.touches, *other.touches):
            return True
        return self.host == other.host and any(_nested(one, two) for one in self.touches for two in other.touches)


def _nested(one: str, two: str) -> bool:
    return one == two or one.startswith(two + "/") or two.startswith(one + "/")


@dataclass(frozen=True)
class Ground:
    """What there is to be changed: managed objects by host, as the journey's own records name them, and facts about the lab."""

    objects: dict[str, list[str]]
    venue: str
    instances: tuple[str, ...]

    def of(self, *kinds: str) -> list[tuple[str, str]]:
        """Return (host, name) of the objects of these kinds.

        Not what belongs to a live bot where none runs: whether it is stopped, masked or without its key is then not golive's to decide
        (the kill switch leaves it so).
        """
        found = [(host, one.split(":", 1)[1]) for host, every in sorted(self.objects.items()) for one in sorted(every)
                 if one.split(":", 1)[0] in kinds]
        return [one for one in found if "live" in self.instances or one[1] not in (STORED_KEY, LIVE_UNIT)]


Maker = Callable[[int, random.Random, Ground], Mutation]


def _safe(path: str) -> bool:
    return not any(_nested(path, one) for one in OBSERVERS) and not path.startswith(("/run/", "/proc/"))


def _copied(number: int, path: str, do: str) -> tuple[str, str]:
    """Return a script that keeps the path as it is and then changes it, and the one that puts it back."""
    kept, quoted = f"{KEPT}/{number}", shlex.quote(path)
    return (f"mkdir -p {KEPT}; test -e {quoted} -o -L {quoted}; cp -a {quoted} {kept}; P={quoted}; {do}",
            f"if test -e {kept} -o -L {kept}; then rm -rf {quoted}; cp -a {kept} {quoted}; rm -rf {kept}; fi")


FILE_CHANGES = (
    ("content", "a comment appended", f"printf {shlex.quote(HARMLESS)} >> \"$P\""),
    ("content", "last byte cut", "truncate -s -1 \"$P\""),
    ("content", "emptied", ": > \"$P\""),
    ("content", "one byte other", "python3 - \"$P\" <<'X'\nimport sys\nwith open(sys.argv[1], 'r+b') as f:\n d = bytearray(f.read())\n"
                " d[len(d) // 2] ^= 1\n f.seek(0)\n f.write(d)\nX"),
    ("mode", "writable for all", "chmod o+w \"$P\""),
    ("mode", "readable for all or not", "chmod $(( $(stat -c %a \"$P\") % 10 >= 4 ? 600 : 664 )) \"$P\""),
    ("mode", "run as its owner", "chmod u+s \"$P\""),
    ("owner", "given to nobody", "chown nobody \"$P\""),
    ("owner", "given to group games", "chgrp games \"$P\""),
    ("ACL", "user games may write", "python3 - \"$P\" <<'X'\nimport os, struct, sys\nm = os.stat(sys.argv[1]).st_mode\n"
            "e = [(1, m >> 6 & 7, -1), (2, 6, 5), (4, m >> 3 & 7, -1), (16, 6, -1), (32, m & 7, -1)]\n"
            "os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + b''.join(struct.pack('<HHI', t, p, i & 0xffffffff)"
            " for t, p, i in e))\nX"),
    ("deleted", "deleted", "rm -f \"$P\""),
    ("link", "a link to a copy in its place", f"mkdir -p {KEPT}; cp -a \"$P\" {KEPT}/linked-$$; ln -sfn {KEPT}/linked-$$ \"$P\""),
    ("link", "a directory in its place", "rm -f \"$P\"; mkdir \"$P\""),
)


def managed_file(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change a file that golive wrote: content, mode, owner, ACL, kind."""
    host, path = rng.choice([one for one in ground.of("file", "certificate") if _safe(one[1])])
    family, what, script = rng.choice(FILE_CHANGES)
    do, undo = _copied(number, path, script)
    names = tuple((f"{kind}:{path}", ()) for kind in ("file", "certificate", "applied"))
    # The act that arms writes the key, no role does: it is looked at with its ticket.
    controls = ("arming.ticket_valid",) if path == STORED_KEY else ()
    return Mutation(number, host, f"file {family}", f"{path}: {what}", do, undo, names, controls, (path,))


DIRECTORY_CHANGES = (("mode", "writable for all", "chmod o+w \"$P\""), ("mode", "closed", "chmod 0700 \"$P\"; chmod u-w \"$P\""),
                     ("owner", "given to nobody", "chown nobody \"$P\""), ("owner", "given to group games", "chgrp games \"$P\""))


def managed_directory(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change mode or owner of a directory that golive made."""
    host, path = rng.choice([one for one in ground.of("dir") if _safe(one[1])])
    family, what, script = rng.choice(DIRECTORY_CHANGES)
    before = f"{KEPT}/{number}.mode"
    quoted = shlex.quote(path)
    do = f"mkdir -p {KEPT}; P={quoted}; stat -c '%a %u:%g' \"$P\" > {before}; {script}"
    undo = f"if test -f {before}; then read m o < {before}; chown $o {quoted}; chmod $m {quoted}; rm {before}; fi"
    return Mutation(number, host, f"directory {family}", f"{path}: {what}", do, undo, ((f"dir:{path}", ()),), (), (f"{path} (itself)",))


def managed_link(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Let a managed link lead elsewhere."""
    host, path = rng.choice(ground.of("link"))
    what, script = rng.choice((("leads to /tmp", "ln -sfn /tmp \"$P\""), ("deleted", "rm \"$P\"")))
    do, undo = _copied(number, path, script)
    return Mutation(number, host, "link", f"{path}: {what}", do, undo, ((f"link:{path}", ()),), (), (path,))


def release_file(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change, add or delete a file of an installed release."""
    host, name = rng.choice(ground.of("release"))
    folder = shlex.quote(name)
    pick = (f"set -- $(find {folder}/ -type f | sort | awk 'NR % 97 == {rng.randrange(40)}'); "
            f"F=${{1:-$(find {folder}/ -type f | head -1)}}; ")
    what, change, back = rng.choice((
        ("one byte more in a file", "printf ' ' >> \"$F\"", ""), ("a file's mode", "chmod 0777 \"$F\"", ""),
        ("a file deleted", "rm \"$F\"", ""), ("a file given to nobody", "chown nobody \"$F\"", ""),
        ("a file added", f"echo 'print(1)' > {folder}/sitecustomize.py", f"rm -f {folder}/sitecustomize.py"),
    ))
    kept = f"{KEPT}/{number}"
    do = f"mkdir -p {KEPT}; {pick} echo \"$F\" > {kept}.name; cp -a \"$F\" {kept}; {change}"
    undo = (f"if test -f {kept}.name; then F=$(cat {kept}.name); rm -rf \"$F\"; cp -a {kept} \"$F\"; rm -rf {kept} {kept}.name; "
            f"{back or ':'}; fi")
    return Mutation(number, host, "release file", f"{name}: {what}", do, undo, ((f"release:{name}", ()),), (), (name,))


#: journald keeps what the observer says, sshd lets it in, a store that stands still is sealed
UNTOUCHED = ("systemd-journald.service", "ssh.service", "vault.service", "vault-second.service")


def unit_state(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Stop, disable or mask a managed unit, or give it a drop-in of somebody else."""
    host, unit = rng.choice([one for one in ground.of("unit") if one[1] not in UNTOUCHED])
    drop = f"/etc/systemd/system/{unit}.d/99-mutation.conf"
    run = drop.replace("/etc/", "/run/")
    name, here, there = shlex.quote(unit), shlex.quote(drop), shlex.quote(run)
    what, do, undo, ops = rng.choice((
        ("stopped", f"systemctl is-active -q {name} && systemctl stop {name}", f"systemctl start {name}", ("start", "restart")),
        ("disabled", f"systemctl is-enabled -q {name} && systemctl disable -q {name}", f"systemctl enable -q {name}", ("enable",)),
        ("masked for this boot", f"systemctl mask -q --runtime {name}; systemctl stop {name}",
         f"systemctl unmask -q --runtime {name}; systemctl start {name}", ()),
        ("a drop-in", f"mkdir -p $(dirname {here}); printf '[Unit]\\nDescription=other\\n' > {here}; systemctl daemon-reload",
         f"rm -f {here}; systemctl daemon-reload", ("restart", "update", "remove")),
        ("a drop-in for this boot", f"mkdir -p $(dirname {there}); printf '[Service]\\nEnvironment=MUTATION=1\\n' > {there}; "
         "systemctl daemon-reload", f"rm -f {there}; systemctl daemon-reload", ("restart", "update", "remove")),
    ))
    names = ((f"unit:{unit}", ops), (f"file:{drop}", ()), (f"file:{run}", ()))
    family = "unit drop-in" if "drop-in" in what else f"unit {what.split()[0]}"
    # Whether the live bot runs is decided by the act that arms it, and asked with its ticket.
    controls = ("mode.switch_to_live",) if unit == LIVE_UNIT and "drop-in" not in what else ()
    # systemctl speaks of no unit whose definition another change has made a directory or taken away.
    places = tuple(f"{place}/systemd/system/{unit}{end}" for place in ("/etc", "/run", "/usr/local/lib", "/usr/lib") for end in ("", ".d"))
    return Mutation(number, host, family, f"{unit}: {what}", do, undo, names, controls, (f"unit:{unit}", *places))


def account(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Change an account that golive made."""
    host, user = rng.choice(ground.of("user"))
    kept = f"{KEPT}/{number}"
    what, script = rng.choice((("another shell", f"usermod -s /bin/bash {user}"), ("another home", f"usermod -d /tmp {user}"),
                               ("in group sudo", f"usermod -aG sudo {user}"),
                               ("a password", f"usermod -p '$y$j9T$abc$7Xyzabcdefabcdefabcdefabcdefabcdefabcdef' {user}")))
    files = "/etc/passwd /etc/group /etc/shadow /etc/gshadow"
    do = f"mkdir -p {kept}; cp -a {files} {kept}/; {script}"
    undo = f"if test -d {kept}; then cp -a {kept}/passwd {kept}/group {kept}/shadow {kept}/gshadow /etc/; rm -rf {kept}; fi"
    return Mutation(number, host, "account", f"{user}: {what}", do, undo,
                    ((f"user:{user}", ()), (f"member:sudo/{user}", ()), (f"group:{user}", ())),
                    ("host.root_access",) if "sudo" in what else (), ("accounts",), by_plan="sudo" in what)


def login_key(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Let another key log in as an account of golive, or the same without its forced command."""
    host, user = rng.choice(ground.of("keys"))
    find = f"K=$(getent passwd {user} | cut -d: -f6)/.ssh/authorized_keys; test -f \"$K\""
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl x"
    what, script = rng.choice((("a key more", f"echo '{key}' >> \"$K\""),
                               ("the forced command taken away", "sed -i 's/^.*\\(ssh-ed25519\\)/\\1/' \"$K\"")))
    kept = f"{KEPT}/{number}"
    do = f"mkdir -p {KEPT}; {find}; echo \"$K\" > {kept}.name; cp -a \"$K\" {kept}; {script}"
    undo = f"if test -f {kept}.name; then cp -a {kept} \"$(cat {kept}.name)\"; rm -f {kept} {kept}.name; fi"
    return Mutation(number, host, "login key", f"{user}: {what}", do, undo, ((f"keys:{user}", ()),), (), (f"keys:{user}",))


def package(number: int, rng: random.Random, ground: Ground) -> Mutation:
    """Let the host hold a package no longer, as its own database says."""
    host, name = rng.choice(ground.of("package"))
    kept = f"{KEPT}/{number}"
    do = (f"mkdir -p {KEPT}; cp -a /var/lib/dpkg/status {kept}; python3 - <<'X'\n"
          "import re\np = '/var/lib/dpkg/status'\nt = open(p).read()\n"
          f"n = re.sub(r'(?m)^(Package: {name}\\nStatus: )install ok installed$', r'\\1deinstall ok config-files', t)\n"
          "assert n != t\nopen(p, 'w').write(n)\nX")
    undo = f"if test -f {kept}; then cp -a {kept} /var/lib/dpkg/status; rm -f {kept}; fi"
    return Mutation(number, host, "package", f"{name} is gone", do, undo, ((f"package:{name}", ()),), (), ("packages",))
