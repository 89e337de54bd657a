"""What a probe may use to look at the world: a command, a URL, the time, a secret in memory. Nothing here changes anything."""
from __future__ import annotations

import os
import pwd
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime, timezone
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import Undecided

OUTPUT_CAP = 1 << 20


class Completed(NamedTuple):
    """A finished command; stdout and stderr are text, capped at 1 MiB each."""

    rc: int
    stdout: str
    stderr: str


class Response(NamedTuple):
    """An HTTP answer. `headers` have lower-case names, `seconds` is the wall time, `tls` the peer's certificate or {}."""

    status: int
    headers: Dict[str, str]
    body: bytes
    seconds: float
    tls: Dict[str, Any]


class Observed(NamedTuple):
    """Facts with whose word they are and how often the observation could have gone wrong (None: not countable)."""

    facts: Dict[str, Any]
    witness: Optional[str] = None
    opportunities: Optional[int] = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None  # a redirect is an answer to report, not an order to follow


class Look:
    """Handed to every probe: who looks (`host`), at what (`subject`), in which kind of run (`rehearsal`)."""

    def __init__(self, host: str, subject: str, rehearsal: bool, secrets: Mapping[str, str], deadline: float) -> None:
        self.host, self.subject, self.rehearsal = host, subject, rehearsal
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
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
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
        """Ask a URL; certificates are always verified, proxies of the environment are not used, redirects not followed.

        Raises Undecided when there is no HTTP answer at all; 4xx and 5xx are answers.
        """
        request = urllib.request.Request(url, data=data, headers=dict(headers or {}), method=method)  # noqa: S310 (probe authors pass http(s) URLs from the profile)
        handlers: List[Any] = [urllib.request.ProxyHandler({}), _NoRedirect()]
        if url.startswith("https:"):
            handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_file)))
        elif not url.startswith("http:"):
            raise Undecided("%s is not an http or https address" % url[:80])
        opener = urllib.request.build_opener(*handlers)
        started = time.monotonic()
        try:
            with opener.open(request, timeout=min(timeout, max(0.1, self.left()))) as answer:
                return self._response(answer.status, answer, started, cap)
        except urllib.error.HTTPError as exc:
            with exc:
                return self._response(exc.code, exc, started, cap)
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "reason", exc)
            raise Undecided("no answer from %s: %s" % (_without_query(url), type(reason).__name__ + " " + str(reason)[:120])) from None

    @staticmethod
    def _response(status: int, answer: Any, started: float, cap: int) -> Response:
        body = answer.read(cap)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        sock = getattr(getattr(getattr(answer, "fp", None), "raw", None), "_sock", None)
        tls = sock.getpeercert() if isinstance(sock, ssl.SSLSocket) else {}
        return Response(status, headers, body, time.monotonic() - started, dict(tls or {}))


def _text(data: bytes) -> str:
    return data[:OUTPUT_CAP].decode("utf-8", "replace")


def _without_query(url: str) -> str:
    return url.split("?", 1)[0][:120]


def _become(user: str) -> Dict[str, Any]:
    """Return the subprocess arguments that run a command as another user (only root may)."""
    if os.geteuid() != 0:
        raise Undecided("looking as %s needs root" % user)
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Undecided("there is no user %s" % user) from None
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": os.getgrouplist(user, entry.pw_gid), "cwd": "/"}
