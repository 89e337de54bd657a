"""Is there a Docker Engine that answers, and how do we talk to it?

Only the SDK speaks to the engine, at the engine's own API version: a `docker` client on PATH may be newer than the engine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException

from .cache import cache_dir, locked
from .errors import LabError
from .run import Say, as_root, run

SOCKET = Path("/var/run/docker.sock")
_START_DEADLINE_S = 60.0
_POLL_S = 0.2
_CALL_TIMEOUT_S = 120


def connect() -> Any:
    """A client of the engine (docker.DockerClient) that has answered. Raises LabError with the engine's own words."""
    try:
        engine = docker.from_env(version="auto", timeout=_CALL_TIMEOUT_S)
        engine.ping()
    except (DockerException, OSError) as error:
        raise LabError("no Docker Engine answers", found=_own_words(error), todo="run `make lab`, which starts one") from error
    return engine


def cgroup_version(engine: Any) -> int:
    """1 or 2: the cgroup version the engine puts containers into."""
    return int(engine.info().get("CgroupVersion") or 1)


def ensure_engine(say: Say) -> str:
    """Make sure an engine answers; returns what was done: `already there`, `opened`, `started` or `installed and started`.

    With systemd as process 1 the engine is a service; without (containers, small virtual machines) `dockerd` is started
    by hand, its log and process id in the cache. Raises LabError.
    """
    if _answers():
        return "already there"
    with locked("engine"):
        if _answers():
            return "already there"
        if os.environ.get("DOCKER_HOST"):
            raise LabError("no Docker Engine answers", where="DOCKER_HOST", found=os.environ["DOCKER_HOST"],
                           todo="start that engine, or unset DOCKER_HOST to use one on this machine")
        if _open_socket():
            return "opened"
        installed = shutil.which("dockerd", path=_sbin_path()) is None
        if installed:
            say("install docker.io")
            _install()
        if Path("/run/systemd/system").is_dir():
            say("systemctl start docker")
            run(as_root(["systemctl", "start", "docker"]))
        else:
            say("start dockerd")
            _start_by_hand()
        _await_answer()
    return "installed and started" if installed else "started"


def _answers() -> bool:
    try:
        connect()
    except LabError:
        return False
    return True


def _open_socket() -> bool:
    """A running engine whose socket is closed to this user is opened for it (until the engine restarts)."""
    if os.geteuid() == 0 or not SOCKET.exists() or os.access(SOCKET, os.R_OK | os.W_OK):
        return False
    run(as_root(["setfacl", "--modify", f"user:{os.geteuid()}:rw", str(SOCKET)]))
    return _answers()


def _install() -> None:
    if shutil.which("apt-get") is None:
        raise LabError("no Docker Engine is installed, and this machine has no apt-get", todo="install Docker Engine and run again")
    log = cache_dir() / "apt.log"
    run(as_root(["apt-get", "--quiet", "update"]), log=log)
    run(as_root(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes", "--no-install-recommends",
                 "install", "docker.io", "iptables"]), log=log)


def _start_by_hand() -> None:
    """Start `dockerd` in a session of its own, so that it outlives us and Ctrl-C does not reach it."""
    log, pid_file = cache_dir() / "dockerd.log", cache_dir() / "dockerd.pid"
    program = shutil.which("dockerd", path=_sbin_path()) or "dockerd"
    with log.open("ab") as handle:
        started = subprocess.Popen(as_root([program, "--group", str(os.getegid())]), stdin=subprocess.DEVNULL, stdout=handle,
                                   stderr=handle, start_new_session=True, env={**os.environ, "PATH": _sbin_path()})
    pid_file.write_text(f"{started.pid}\n", encoding="ascii")


def _await_answer() -> None:
    deadline = time.monotonic() + _START_DEADLINE_S
    while time.monotonic() < deadline:
        if _answers() or _open_socket():
            return
        time.sleep(_POLL_S)
    log = cache_dir() / "dockerd.log"
    last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
    raise LabError(f"the Docker Engine did not answer within {_START_DEADLINE_S:.0f} s", found=last[0] if last else "no log",
                   todo=f"see {log} or `journalctl -u docker`")


def _sbin_path() -> str:
    """PATH with the folders of system programs, which are missing from an ordinary user's on Debian."""
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def _own_words(error: BaseException) -> str:
    """The last cause's text: the SDK wraps the operating system's words several times."""
    seen: BaseException = error
    while seen.__cause__ or seen.__context__:
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    return str(seen) or type(seen).__name__


