"""The host as the sets see it: files below a root, commands without a shell, the account tables."""
from __future__ import annotations

import os
import subprocess
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import GoliveError

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}
WORDS_CAP = 600


class Completed(NamedTuple):
    """A finished command."""

    rc: int
    stdout: str
    stderr: str

    def words(self) -> str:
        """Return the command's own words on why it failed, as one short line."""
        text = self.stderr.strip() or self.stdout.strip() or "exit %d without a word" % self.rc
        return " ".join(text.split())[-WORDS_CAP:]


class User(NamedTuple):
    """A line of /etc/passwd."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str


class Group(NamedTuple):
    """A line of /etc/group."""

    name: str
    gid: int
    members: List[str]


class System:
    """A host. `root` lets tests use a directory in its place; commands then have to be replaced too."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def path(self, path: str) -> str:
        """Return where an absolute path of the host is really to be found."""
        return path if self.root == "/" else self.root.rstrip("/") + path

    def read(self, path: str) -> Optional[str]:
        """Return a text file, None if there is none."""
        try:
            with open(self.path(path), encoding="utf-8", errors="surrogateescape") as handle:
                return handle.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def run(self, argv: Sequence[str], env: Optional[Mapping[str, str]] = None, timeout: float = 900,
            stdin: Optional[str] = None) -> Completed:
        """Run a fixed argument list without a shell. Raises GoliveError if it is missing or takes too long."""
        try:
            done = subprocess.run(list(argv), input=(stdin or "").encode(), capture_output=True, timeout=timeout,
                                  env=dict(_ENVIRONMENT, **(env or {})), check=False)
        except FileNotFoundError:
            raise GoliveError("the command %s is not installed on this host" % argv[0]) from None
        except subprocess.TimeoutExpired:
            raise GoliveError("the command did not finish in %d s" % timeout, where=" ".join(argv[:3])) from None
        return Completed(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def must(self, argv: Sequence[str], env: Optional[Mapping[str, str]] = None, timeout: float = 900) -> Completed:
        """Run a command that has to succeed. Raises GoliveError with the command's own words."""
        done = self.run(argv, env, timeout)
        if done.rc != 0:
            raise GoliveError("%s failed" % " ".join(argv[:4]), found=done.words())
        return done

    def has(self, command: str) -> bool:
        """Return whether a command is installed."""
        if command.startswith("/"):
            return os.access(self.path(command), os.X_OK)
        return any(os.access(self.path(os.path.join(place, command)), os.X_OK) for place in _ENVIRONMENT["PATH"].split(":"))

    def users(self) -> Dict[str, User]:
        """Return the local users by name."""
        rows = [line.split(":") for line in (self.read("/etc/passwd") or "").splitlines()]
        return {row[0]: User(row[0], int(row[2]), int(row[3]), row[4], row[5], row[6]) for row in rows if len(row) == 7}

    def groups(self) -> Dict[str, Group]:
        """Return the local groups by name."""
        rows = [line.split(":") for line in (self.read("/etc/group") or "").splitlines()]
        return {row[0]: Group(row[0], int(row[2]), [name for name in row[3].split(",") if name])
                for row in rows if len(row) == 4}
