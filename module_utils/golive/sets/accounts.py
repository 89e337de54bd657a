"""accounts: groups, users, memberships and authorized keys that are wanted on a host, each an object of its own."""
from __future__ import annotations

import os
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from ..canonical import digest
from ..errors import GoliveError
from . import atomic, core
from .core import Change, Decision, WantedSet
from .system import Group, System, User

NO_LOGIN = "/usr/sbin/nologin"


class Current(NamedTuple):
    """The account tables of the host, and what of /etc/shadow and authorized_keys is asked about."""

    users: Dict[str, User]
    groups: Dict[str, Group]
    locked: Dict[str, bool]                 # user -> no password can log in
    keys: Dict[str, Optional[List[str]]]    # user -> lines of authorized_keys, sorted; None: no file


class Accounts(WantedSet):
    """Wanted groups, users and memberships (plain mappings in the form of library/accounts.py)."""

    def __init__(self, system: System, groups: Sequence[Mapping[str, Any]], users: Sequence[Mapping[str, Any]],
                 members: Sequence[Mapping[str, Any]]) -> None:
        self.system = system
        self.groups, self.users = list(groups), list(users)
        self.members = [(str(entry["group"]), str(entry["user"])) for entry in members]

    def current(self) -> Current:
        """Read passwd, group, shadow and the authorized_keys of the wanted users."""
        users, groups = self.system.users(), self.system.groups()
        locked = {}
        for line in (self.system.read("/etc/shadow") or "").splitlines():
            name, _, rest = line.partition(":")
            locked[name] = rest[:1] in ("!", "*")
        keys: Dict[str, Optional[List[str]]] = {}
        for wanted in self.users:
            # In the home that the account will have: a changed one is set back, and keys outlive an account, before they are looked at.
            home = wanted.get("home") or (users[wanted["name"]].home if wanted["name"] in users else None)
            if wanted.get("authorized_keys") is not None and home is not None:
                text = self.system.read(_keys_path(home))
                keys[wanted["name"]] = None if text is None else _lines(text)
        return Current(users, groups, locked, keys)

    def decide(self, current: Current) -> Decision:
        """Groups first, then users, memberships and keys; what goes away goes in the opposite order, last."""
        problems = self._contradictions()
        if problems:
            return Decision([], problems)
        changes: List[Change] = []
        for group in self.groups:
            if group.get("state") != "absent":
                changes += _group_changes(group, current.groups.get(group["name"]))
        for user in self.users:
            if user.get("state") != "absent":
                changes += _user_changes(user, current)
        changes += self._membership_changes(current)
        for user in self.users:
            if user.get("state") != "absent" and user.get("authorized_keys") is not None:
                changes += _keys_changes(user, current)
        changes += [Change("user:%s" % user["name"], "delete", _user_facts(current.users[user["name"]], current), None)
                    for user in self.users if user.get("state") == "absent" and user["name"] in current.users]
        changes += [Change("group:%s" % group["name"], "delete", "gid %d" % current.groups[group["name"]].gid, None)
                    for group in self.groups if group.get("state") == "absent" and group["name"] in current.groups]
        return Decision(changes, problems)

    def act(self, decision: Decision) -> Iterator[Change]:
        """Use the tools of the passwd package, one object at a time."""
        for change in decision.changes:
            kind, _, name = change.object.partition(":")
            {"group": self._act_group, "user": self._act_user, "member": self._act_member, "keys": self._act_keys}[kind](name, change)
            yield change

    def _contradictions(self) -> List[str]:
        problems = []
        gone = {user["name"] for user in self.users if user.get("state") == "absent"}
        for kind, entries in (("user", self.users), ("group", self.groups)):
            names = [entry["name"] for entry in entries]
            problems += ["%s %s is listed twice; keep one entry" % (kind, name)
                         for name in sorted({name for name in names if names.count(name) > 1})]
        for user in self.users:
            if user["name"] == "root" and user.get("state") == "absent":
                problems.append("root cannot be absent; drop the entry")
            for line in user.get("authorized_keys") or []:
                if "\n" in line.strip() or len(line.split()) < 2:
                    problems.append("an authorized key of %s is not one line of the form 'type key comment'; correct the entry"
                                    % user["name"])
        problems += ["%s is to be a member of %s and absent at once; drop one of the two" % (user, group)
                     for group, user in self._memberships() if user in gone]
        return problems

    def _memberships(self) -> List[Tuple[str, str]]:
        listed = [(group, str(user["name"])) for user in self.users for group in user.get("groups") or []]
        return list(dict.fromkeys(listed + self.members))

    def _membership_changes(self, current: Current) -> List[Change]:
        def is_member(group: str, user: str) -> bool:
            return group in current.groups and user in current.groups[group].members

        wanted = self._memberships()
        changes = [Change("member:%s/%s" % pair, "create", None, "member") for pair in wanted if not is_member(*pair)]
        for user in self.users:
            if user.get("groups") is not None and not user.get("append") and user.get("state") != "absent":
                extra = sorted(name for name, group in current.groups.items()
                               if user["name"] in group.members and (name, user["name"]) not in wanted)
                changes += [Change("member:%s/%s" % (name, user["name"]), "delete", "member", None) for name in extra]
        return changes

    def _wanted(self, entries: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
        return next(entry for entry in entries if entry["name"] == name)

    def _act_group(self, name: str, change: Change) -> None:
        if change.op == "delete":
            if name in self.system.groups():    # userdel may have taken the user's own group along
                self.system.must(["groupdel", name])
            return
        wanted = self._wanted(self.groups, name)
        gid = [] if wanted.get("gid") is None else ["--gid", str(wanted["gid"])]
        if change.op == "create":
            self.system.must(["groupadd", *(["--system"] if wanted.get("system") else []), *gid, name])
        else:
            self.system.must(["groupmod", *gid, name])

    def _act_user(self, name: str, change: Change) -> None:
        if change.op == "delete":
            self.system.must(["userdel", name])     # the home stays: it may hold a ledger
            return
        wanted = self._wanted(self.users, name)
        options: List[str] = []
        for option, key in (("--uid", "uid"), ("--gid", "group"), ("--home-dir" if change.op == "create" else "--home", "home"),
                            ("--shell", "shell"), ("--comment", "comment")):
            if wanted.get(key) is not None:
                options += [option, str(wanted[key])]
        if change.op == "create":
            # Homes are directories like others: the set managed_files makes them with owner, mode and ACL.
            shape = ["--system"] if wanted.get("system") else []
            group = ["--user-group"] if wanted.get("group") is None else []
            self.system.must(["useradd", *shape, "--no-create-home", "--password", "*", *group, *options, name])
            return
        if options:
            self.system.must(["usermod", *options, name])
        if wanted.get("password_locked", True):
            self.system.must(["usermod", "--lock", name])

    def _act_member(self, name: str, change: Change) -> None:
        group, _, user = name.partition("/")
        self.system.must(["gpasswd", "--add" if change.op == "create" else "--delete", user, group])

    def _act_keys(self, name: str, change: Change) -> None:
        user = self.system.users().get(name)
        if user is None:
            raise GoliveError("authorized keys for a user who does not exist", found=name, todo="add the user to the set")
        path = self.system.path(_keys_path(user.home))
        if change.op == "delete":
            os.unlink(path)
            return
        directory = os.path.dirname(path)
        if os.path.islink(directory):
            raise GoliveError("%s/.ssh is a link; golive writes keys into a real directory only" % user.home, todo="replace the link")
        if not os.path.isdir(os.path.dirname(directory)):
            raise GoliveError("the home of %s does not exist" % name, where=user.home, todo="make it with managed_files first")
        if not os.path.isdir(directory):
            os.mkdir(directory, 0o700)
        os.chown(directory, user.uid, user.gid)
        lines = _lines("\n".join(self._wanted(self.users, name)["authorized_keys"]))
        atomic.write_file(path, "".join(line + "\n" for line in lines).encode(), mode=0o600, uid=user.uid, gid=user.gid)


def _group_changes(wanted: Mapping[str, Any], found: Optional[Group]) -> List[Change]:
    name = "group:%s" % wanted["name"]
    gid = wanted.get("gid")
    if found is None:
        return [Change(name, "create", None, "present" if gid is None else "gid %d" % gid)]
    if gid is not None and gid != found.gid:
        return [Change(name, "update", "gid %d" % found.gid, "gid %d" % gid)]
    return []


def _user_changes(wanted: Mapping[str, Any], current: Current) -> List[Change]:
    name = wanted["name"]
    found = current.users.get(name)
    if found is None:
        return [Change("user:%s" % name, "create", None, "shell %s" % (wanted.get("shell") or "default"))]
    group_names = {group.gid: group.name for group in current.groups.values()}
    pairs = [("uid", str(found.uid)), ("group", group_names.get(found.gid, str(found.gid))), ("home", found.home),
             ("shell", found.shell), ("comment", found.comment)]
    differs = [(key, is_now, str(wanted[key])) for key, is_now in pairs if wanted.get(key) is not None and str(wanted[key]) != is_now]
    if wanted.get("password_locked", True) and not current.locked.get(name, False):
        differs.append(("password", "usable", "locked"))
    if not differs:
        return []
    return [Change("user:%s" % name, "update", " ".join("%s %s" % (key, is_now) for key, is_now, _ in differs),
                   " ".join("%s %s" % (key, then) for key, _, then in differs))]


def _keys_changes(wanted: Mapping[str, Any], current: Current) -> List[Change]:
    name = wanted["name"]
    before = current.keys.get(name)
    after = _lines("\n".join(wanted["authorized_keys"]))
    if before == after or (before is None and not after):
        return []
    return [Change("keys:%s" % name, "create" if before is None else "update",
                   None if before is None else "%d keys %s" % (len(before), digest(before)),
                   "%d keys %s" % (len(after), digest(after)))]


def _user_facts(user: User, current: Current) -> str:
    return "uid %d shell %s" % (user.uid, user.shell)


def _keys_path(home: str) -> str:
    return os.path.join(home, ".ssh", "authorized_keys")


def _lines(text: str) -> List[str]:
    """Return the key lines as a sorted set: order and comments lines mean nothing to sshd."""
    return sorted({" ".join(line.split()) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")})


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out a task of library/accounts.py; see core.perform."""
    return core.perform(lambda: Accounts(System(), given["groups"], given["users"], given["members"]), given, dry)
