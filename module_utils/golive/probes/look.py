"""What a probe may use to look at the world: a command, a URL, the time, a secret in memory. Nothing here changes anything."""
from __future__ import annotations

import os
import pwd
import subprocess
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Sequence

from ..errors import Undecided

if TYPE_CHECKING:
    from .web import Response

OUTPUT_CAP = 1 << 20


class Completed(NamedTuple):
    """A finished command; stdout and stderr are text, capped at 1 MiB each."""

    rc: int
    stdout: str
    stderr: str


class Observed(NamedTuple):
    """Facts with whose word they are and how often the observation could have gone wrong (None: not countable)."""

    facts: Dict[str, Any]
    witness: Optional[str] = None
    opportunities: Optional[int] = None


class Look:
    """Handed to every probe: who looks (`host`), at what (`subject`), in which kind of run (`rehearsal`)."""

    def __init__(self, host: str, subject: str, rehearsal: bool, secrets: Mapping[str, str], deadline: float,
                 context: Optional[Mapping[str, Any]] = None) -> None:
        self.host, self.subject, self.rehearsal = host, subject, rehearsal
        self.context: Mapping[str, Any] = context or {}  # only on the controller: root, run_dir, system
        self._secrets, self._deadline = secrets, deadline

    def now(self) -> datetime:
        """Return the looking host's clock, in UTC."""
        return datetime.now(timezone.utc)

    def left(self) -> float:
        """Return the seconds that this probe has left."""
        return max(0.0, self._deadline - time.monotonic())

    def secret(self, reference: str) -> str:
        """Return the value of a secret reference that was resolved for this plan. Raises Undecided when it was not."""
        try:
            return self._secrets[reference]
        except KeyError:
            raise Undecided("the secret %s was not delivered with the plan" % reference) from None

    def run(self, argv: Sequence[str], timeout: float = 5.0, user: Optional[str] = None,
            env: Optional[Mapping[str, str]] = None) -> Completed:
        """Run a fixed argument list that only reads, without a shell. Raises Undecided if it is missing or too slow."""
        command = list(argv)
        become: Dict[str, Any] = {}
        if user is not None:
            become = _become(user)
        clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        clean.update(env or {})
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=min(timeout, self.left()), env=clean, check=False, **become)
        except FileNotFoundError:
            raise Undecided("%s is not installed on %s" % (command[0], self.host)) from None
        except PermissionError:
            raise Undecided("%s may not be run on %s" % (command[0], self.host)) from None
        except subprocess.TimeoutExpired:
            raise Undecided("%s gave no answer in time on %s" % (command[0], self.host)) from None
        return Completed(done.returncode, _text(done.stdout), _text(done.stderr))

    def get(self, url: str, headers: Optional[Mapping[str, str]] = None, timeout: float = 5.0,
            ca_file: Optional[str] = None, data: Optional[bytes] = None, method: Optional[str] = None,
            cap: int = OUTPUT_CAP) -> Response:
        """Ask a URL and return its `Response` (see `web.ask`); it never takes longer than this probe has left."""
        from . import web  # noqa: PLC0415 (TLS costs 40 ms of CPU: only a probe that asks pays for it)

        return web.ask(url, headers or {}, min(timeout, max(0.1, self.left())), ca_file, data, method, cap)


def _text(data: bytes) -> str:
    return data[:OUTPUT_CAP].decode("utf-8", "replace")


def _become(user: str) -> Dict[str, Any]:
    """Return the subprocess arguments that run a command as another user (only root may)."""
    if os.geteuid() != 0:
        raise Undecided("looking as %s needs root" % user)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Undecided("there is no user %s" % user) from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid), "cwd": "/"}
