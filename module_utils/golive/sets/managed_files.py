"""managed_files: a set of directories, files, links, access control lists and unpacked releases that is wanted on a host.

An owner who does not exist yet is a prediction, not an error: another part of the same dry run may be about to create him.
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from ..errors import GoliveError
from . import acl, atomic, core, release_tree
from .core import Change, Decision, WantedSet
from .foreseen import as_loaded_by
from .loaded import Loaded
from .path_state import PathState, facts, look_at
from .system import System
from .validate import refused

KINDS = ("directories", "files", "links", "absent", "releases")


class ManagedFiles(WantedSet):
    """Wanted paths, in the plain form that plugins/action/managed_files.py sends (contents in base64, digests, no templates)."""

    def __init__(self, system: System, wanted: Mapping[str, Sequence[Any]], uploads: Optional[Mapping[str, str]] = None) -> None:
        self.system = system
        self.directories = list(wanted.get("directories", []))
        self.files = [dict(entry, data=base64.b64decode(entry["content"]) if entry.get("content") is not None else None)
                      for entry in wanted.get("files", [])]
        self.links, self.releases = list(wanted.get("links", [])), list(wanted.get("releases", []))
        self.absent = [str(path) for path in wanted.get("absent", [])]
        self.uploads = dict(uploads or {})
        self._entries = {"%s:%s" % (kind, _place(entry)): entry
                         for kind, entries in (("dir", self.directories), ("file", self.files), ("link", self.links),
                                               ("release", self.releases)) for entry in entries}

    def current(self) -> Dict[str, Any]:
        """Look at every wanted path, at what stands in a purged directory, and ask the validators about new contents."""
        seen: Dict[str, Optional[PathState]] = {}
        for entry in [*self.directories, *self.files, *self.links]:
            seen[entry["path"]] = look_at(self.system, entry["path"], wants_digest="data" in entry)
        for path in self.absent:
            seen[path] = look_at(self.system, path, wants_digest=False)
        unknown = {path: look_at(self.system, path, wants_digest=False)
                   for entry in self.directories if entry.get("purge") for path in self._unknown_in(entry)}
        trees = {_place(entry): release_tree.read(self.system.path(_place(entry))) for entry in self.releases}
        refusals, loaded = {}, {}
        for entry in self.files:
            if entry.get("secret") and entry["data"] is not None and _content_differs(entry, seen[entry["path"]]):
                loaded[entry["path"]] = Loaded(self.system).who_loaded(entry["path"], hashlib.sha256(entry["data"]).hexdigest())
            if entry["data"] is not None and entry.get("validate") and _content_differs(entry, seen[entry["path"]]):
                words = refused(self.system, entry["validate"], entry["data"], secret=bool(entry.get("secret")))
                if words:
                    refusals[entry["path"]] = words
        return {"seen": seen, "unknown": unknown, "trees": trees, "refusals": refusals, "loaded": loaded, "users": self.system.users(),
                "groups": self.system.groups()}

    def decide(self, current: Mapping[str, Any]) -> Decision:
        """Directories, releases, files, links; then what goes away."""
        seen = current["seen"]
        problems = self._contradictions() + list(current["refusals"].values())
        problems += ["%s exists, but whether it holds the right secret cannot be told: %s" % (entry["path"], entry["unresolved"])
                     for entry in self.files if entry.get("unresolved") and seen[entry["path"]] is not None]
        if problems:
            return Decision([], problems)
        changes: List[Change] = []
        for kind, entries in (("dir", self.directories), ("file", self.files), ("link", self.links)):
            for entry in entries:
                problem = _wrong_kind(kind, entry, seen[entry["path"]])
                if problem:
                    problems.append(problem)
        for entry in self.directories:
            changes += _difference("dir", entry, seen[entry["path"]], current)
        for entry in self.releases:
            found, name = current["trees"][_place(entry)], "release:%s" % _place(entry)
            if found != entry["tree"]:
                changes.append(Change(name, "create" if found is None else "update", found, entry["tree"]))
        for entry in self.files:
            if not (entry.get("create_only") and seen[entry["path"]] is not None):
                changes += _difference("file", entry, seen[entry["path"]], current)
        for entry in self.links:
            changes += _difference("link", entry, seen[entry["path"]], current)
        goners = dict(current["unknown"], **{path: seen[path] for path in self.absent})
        changes += [Change("%s:%s" % (state.kind, path), "delete", facts(state), None)
                    for path, state in sorted(goners.items()) if state is not None]
        return Decision(changes, problems)

    def needs(self, decision: Decision) -> List[str]:
        """Return the digests of release archives that have to be on this host before `act` can unpack them."""
        return sorted({self._entries[change.object]["sha256"] for change in decision.changes if change.object.startswith("release:")
                       and self._entries[change.object]["sha256"] not in self.uploads})

    def act(self, decision: Decision) -> Iterator[Change]:
        """Make each change by an atomic step of its own."""
        for change in decision.changes:
            kind, _, path = change.object.partition(":")
            if change.op == "delete":
                self._delete(path)
            else:
                {"dir": self._make_directory, "file": self._write_file, "link": self._make_link,
                 "release": self._unpack}[kind](self._entries[change.object], path)
            yield change

    def _contradictions(self) -> List[str]:
        paths = [_place(entry) for entry in [*self.directories, *self.files, *self.links, *self.releases]] + self.absent
        problems = ["%s is not an absolute, plain path" % path
                    for path in paths if not path.startswith("/") or path != os.path.normpath(path)]
        return problems + ["%s is wanted more than once; keep one entry" % path
                           for path in sorted({path for path in paths if paths.count(path) > 1})]

    def _unknown_in(self, entry: Mapping[str, Any]) -> List[str]:
        """Return the entries directly in a purged directory that the set does not name (nor anything below them)."""
        directory = entry["path"]
        try:
            names = sorted(os.listdir(self.system.path(directory)))
        except (FileNotFoundError, NotADirectoryError):
            return []
        known = [_place(item) for item in [*self.directories, *self.files, *self.links, *self.releases]] + list(entry.get("keep") or [])
        paths = [os.path.join(directory, name) for name in names]
        return [path for path in paths if not any(item == path or item.startswith(path + "/") for item in known)]

    def _owner(self, entry: Mapping[str, Any], path: str) -> Dict[str, int]:
        owner, group = str(entry.get("owner") or "root"), str(entry.get("group") or entry.get("owner") or "root")
        users, groups = self.system.users(), self.system.groups()
        if owner not in users:
            raise GoliveError("the owner does not exist", where=path, found=owner, todo="create the user with accounts before")
        if group not in groups:
            raise GoliveError("the group does not exist", where=path, found=group, todo="create the group with accounts before")
        return {"uid": users[owner].uid, "gid": groups[group].gid}

    def _need_parent(self, path: str) -> None:
        if not os.path.isdir(self.system.path(os.path.dirname(path))):
            raise GoliveError("the directory above does not exist", where=path, todo="add %s to directories" % os.path.dirname(path))

    def _make_directory(self, entry: Mapping[str, Any], path: str) -> None:
        ids, real = self._owner(entry, path), self.system.path(path)
        self._need_parent(path)
        if not os.path.isdir(real):
            os.mkdir(real, 0o700)
        os.chown(real, ids["uid"], ids["gid"])
        os.chmod(real, _mode(entry, 0o755))
        self._set_acl(entry, real, _mode(entry, 0o755), directory=True)

    def _write_file(self, entry: Mapping[str, Any], path: str) -> None:
        ids, real, mode = self._owner(entry, path), self.system.path(path), _mode(entry, 0o644)
        self._need_parent(path)
        state = look_at(self.system, path, wants_digest=True)
        if entry["data"] is not None and _content_differs(entry, state):
            atomic.write_file(real, entry["data"], mode, ids["uid"], ids["gid"],
                              before_rename=lambda temporary: self._set_acl(entry, temporary, mode, directory=False))
            return
        if state is None:
            raise GoliveError("the file does not exist and its content is not given", where=path, todo="give content, template or source")
        os.chown(real, ids["uid"], ids["gid"], follow_symlinks=False)
        os.chmod(real, mode)
        self._set_acl(entry, real, mode, directory=False)

    def _set_acl(self, entry: Mapping[str, Any], real: str, mode: int, directory: bool) -> None:
        users, groups = self.system.users(), self.system.groups()
        for kind, default in ((acl.ACCESS, False), *(((acl.DEFAULT, True),) if directory else ())):
            entries = acl.wanted(mode, entry.get("acl") or [], users, groups, default)
            if entries is None:
                raise GoliveError("the access control list names somebody who does not exist", where=entry["path"],
                                  todo="create the user or group with accounts before")
            if entries or acl.read(real, kind):
                acl.write(real, kind, entries)
                if not entries and kind == acl.ACCESS:     # the kernel leaves the old mask in the group bits
                    os.chmod(real, mode)

    def _make_link(self, entry: Mapping[str, Any], path: str) -> None:
        self._need_parent(path)
        atomic.swap_link(self.system.path(path), entry["to"])

    def _unpack(self, entry: Mapping[str, Any], path: str) -> None:
        self._need_parent(path)
        release_tree.unpack(self.uploads.get(entry["sha256"]), entry["sha256"], entry["tree"], self.system.path(path))

    def _delete(self, path: str) -> None:
        real = self.system.path(path)
        if os.path.isdir(real) and not os.path.islink(real):
            shutil.rmtree(real)
        elif os.path.lexists(real):
            os.unlink(real)


def _place(entry: Mapping[str, Any]) -> str:
    """Return the path of an entry; a release stands in its directory under its own digest."""
    return "%s/%s" % (entry["path"], entry["sha256"]) if "tree" in entry else str(entry["path"])


def _mode(entry: Mapping[str, Any], default: int) -> int:
    return int(str(entry["mode"]), 8) if entry.get("mode") is not None else default


def _content_differs(entry: Mapping[str, Any], state: Optional[PathState]) -> bool:
    return state is None or state.digest != "sha256:" + hashlib.sha256(entry["data"]).hexdigest()


def _wrong_kind(kind: str, entry: Mapping[str, Any], state: Optional[PathState]) -> Optional[str]:
    """A directory in the place of a file (or the like) is somebody's decision that a tool must not overwrite."""
    if state is None or state.kind == kind or (kind == "link" and entry.get("replace") and state.kind == "file"):
        return None
    return "%s is a %s, expected a %s; move it away or list it in absent first" % (entry["path"], state.kind, kind)


def _difference(kind: str, entry: Mapping[str, Any], state: Optional[PathState], current: Mapping[str, Any]) -> List[Change]:
    """Return the change of one path, or nothing."""
    name = "%s:%s" % (kind, entry["path"])
    if kind == "link":
        before = None if state is None else facts(state)
        return [] if state is not None and state.target == entry["to"] else [
            Change(name, "create" if state is None else "update", before, "-> %s" % entry["to"])]
    mode = _mode(entry, 0o755 if kind == "dir" else 0o644)
    owner, group = str(entry.get("owner") or "root"), str(entry.get("group") or entry.get("owner") or "root")
    hidden = bool(entry.get("secret"))
    access = acl.wanted(mode, entry.get("acl") or [], current["users"], current["groups"], default=False)
    default = acl.wanted(mode, entry.get("acl") or [], current["users"], current["groups"], default=True) if kind == "dir" else []
    after = "%04o %s:%s" % (mode, owner, group)
    if kind == "file" and (entry["data"] is not None or hidden):
        after += " secret" if hidden else " sha256:" + hashlib.sha256(entry["data"]).hexdigest()
    if access != [] or default != []:
        after += " acl"
    if hidden:
        after += as_loaded_by(current["loaded"].get(entry["path"], ()))
    if state is None:
        return [Change(name, "create", None, after)]
    same = state.owner == owner and state.group == group and list(state.access) == access and list(state.default) == default
    same = same and (state.mode == mode if access == [] else state.mode & 0o7707 == mode & 0o7707)
    if kind == "file" and entry["data"] is not None:
        same = same and not _content_differs(entry, state)
    same_secret = hidden and entry.get("data") is not None and not _content_differs(entry, state)
    return [] if same else [Change(name, "update", facts(state, "secret" if same_secret else "other secret" if hidden else None), after)]


def perform(given: Mapping[str, Any], dry: bool) -> Dict[str, Any]:
    """Carry out what plugins/action/managed_files.py sends; see core.perform."""
    return core.perform(lambda: ManagedFiles(System(), json.loads(given["payload"]), given["uploads"]), given, dry)
