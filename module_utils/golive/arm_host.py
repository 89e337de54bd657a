"""What a money action does on the bot's host: look, deliver a ticket and the key, take both away. One file, standard library only.

It is streamed over the pipelined connection with its payload; the key reaches the host on standard input and no file but the
encrypted credential. Whether the ticket is good is decided by the verifier that is installed on the host, never by this file.
"""
from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import types
from typing import Any, Dict, List, Optional

VERIFIER = "/usr/local/lib/golive/ticket.py"
ARM = "/etc/golive/arm"
CREDENTIAL = ARM + "/exchange_key.cred"
CREDENTIAL_NAME = "exchange_key"
_ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


class Problem(Exception):
    """One sentence for the person who arms; never holds a secret."""


def main(payload: Dict[str, Any]) -> None:
    """Do one act and print `--golive <nonce> <json>`: the act's answer, or `{"problem": sentence}`."""
    try:
        answer = {"state": state, "deliver": deliver, "remove": remove, "subject": subject}[payload["act"]](payload)
    except Problem as exc:
        answer = {"problem": str(exc)}
    except (OSError, subprocess.SubprocessError) as exc:
        answer = {"problem": "the host could not do it: %s" % (getattr(exc, "strerror", None) or type(exc).__name__)}
    sys.stdout.write("\n--golive %s %s\n" % (payload["nonce"], json.dumps(answer)))


def state(payload: Dict[str, Any]) -> Dict[str, Any]:
    """Return what is installed: `show` of the verifier, the stored key's fingerprint, whether the unit runs. Reads only."""
    if not os.path.exists(VERIFIER):
        return {"verifier": None, "show": {"state": "none", "reason": "the verifier is not installed", "digest": None, "ticket": None},
                "key_fingerprint": None, "unit": _unit(payload)}
    done = _run([sys.executable, "-ISE", VERIFIER, "show"])
    if done.returncode != 0:
        raise Problem("the verifier on the host does not answer: %s" % _last(done.stderr))
    return {"verifier": _digest(VERIFIER), "show": json.loads(done.stdout.decode("utf-8")), "key_fingerprint": _key_fingerprint(),
            "unit": _unit(payload)}


def subject(payload: Dict[str, Any]) -> Dict[str, Any]:
    """Return `{artifact, tree, config}` of what is installed, as the verifier digests it. Reads only."""
    _need_verifier(payload)
    with open(VERIFIER, "rb") as handle:
        source = handle.read()
    module = types.ModuleType("golive_ticket")
    sys.modules["golive_ticket"] = module  # NamedTuple looks its module up
    verifier: Dict[str, Any] = module.__dict__
    exec(compile(source, VERIFIER, "exec"), verifier)  # noqa: S102 (its digest was compared with the controller's)
    try:
        found: Dict[str, Any] = verifier["Host"]().subject(payload["release_link"], payload["config"], payload["limits"])
    except verifier["Refused"] as exc:
        raise Problem(str(exc)) from None
    return found


def deliver(payload: Dict[str, Any]) -> Dict[str, Any]:
    """Let the host's verifier install the ticket, then store the key. A second call finishes what a crash left undone."""
    _need_verifier(payload)
    done: List[str] = []
    if payload["ticket"] is not None:
        _install(payload["ticket"], payload.get("venue_offset"))
        done.append("ticket")
    if payload["credential"] is not None:
        _store(base64.b64decode(payload["credential"]))
        done.append("key")
    return {"done": done, **state(payload)}


def remove(payload: Dict[str, Any]) -> Dict[str, Any]:
    """Take ticket and key away. Refused while the unit runs: a running bot without its key is not a stopped one."""
    _need_verifier(payload)
    if _unit(payload) not in ("inactive", "failed", "unknown"):
        raise Problem("%s is %s; stop it first (playbooks/operate/kill_switch.yml stops at once)" % (payload["unit"], _unit(payload)))
    done = _run([sys.executable, "-ISE", VERIFIER, "remove"])
    if done.returncode != 0:
        raise Problem(_last(done.stderr))
    return state(payload)


def _install(bundle: Dict[str, str], venue_offset: Optional[float]) -> None:
    os.makedirs("/run/golive", mode=0o700, exist_ok=True)
    for left_over in os.listdir("/run/golive"):  # of a delivery that was cut off
        if left_over.startswith("delivery-"):
            shutil.rmtree(os.path.join("/run/golive", left_over), ignore_errors=True)
    place = tempfile.mkdtemp(prefix="delivery-", dir="/run/golive")
    try:
        for name, text in bundle.items():
            if os.path.basename(name) != name or not name.startswith("ticket.json"):
                raise Problem("%r is not the name of a ticket's file" % name[:60])
            with open(os.path.join(place, name), "wb") as handle:
                handle.write(base64.b64decode(text))
        argv = [sys.executable, "-ISE", VERIFIER, "install", "--from", place]
        if venue_offset is not None:
            argv += ["--venue-offset", repr(float(venue_offset))]
        done = _run(argv)
        if done.returncode != 0:
            raise Problem("the host refused the ticket: %s" % _last(done.stderr))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _store(secret: bytes) -> None:
    """Encrypt to this host and put in place in one step; the clear text is only ever in memory and in a pipe."""
    done = _run(["systemd-creds", "encrypt", "--name=" + CREDENTIAL_NAME, "-", "-"], secret)
    if done.returncode != 0 or not done.stdout.strip():
        raise Problem("systemd-creds could not encrypt the key to this host: %s" % _last(done.stderr))
    fresh = CREDENTIAL + ".new"
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(done.stdout)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(fresh, CREDENTIAL)
    directory = os.open(ARM, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _key_fingerprint() -> Optional[str]:
    """Return the fingerprint of the stored key's public id, or None if there is none that this host can open."""
    if not os.path.exists(CREDENTIAL):
        return None
    done = _run(["systemd-creds", "decrypt", "--name=" + CREDENTIAL_NAME, CREDENTIAL, "-"])
    try:
        key = json.loads(done.stdout.decode("utf-8"))["key"] if done.returncode == 0 else None
    except (ValueError, KeyError, TypeError):
        key = None
    return hashlib.sha256(key.encode("utf-8")).hexdigest()[:16] if isinstance(key, str) else None


def _unit(payload: Dict[str, Any]) -> str:
    done = _run(["systemctl", "show", payload["unit"], "--property=ActiveState", "--value"])
    return done.stdout.decode("utf-8", "replace").strip() or "unknown" if done.returncode == 0 else "unknown"


def _need_verifier(payload: Dict[str, Any]) -> None:
    if not os.path.exists(VERIFIER):
        raise Problem("%s is not installed; run the bot role" % VERIFIER)
    if _digest(VERIFIER) != payload["verifier"]:
        raise Problem("%s is not the verifier of this golive; run the bot role" % VERIFIER)


def _run(argv: List[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, input=data, capture_output=True, env=_ENV, check=False, timeout=60)


def _digest(path: str) -> str:
    with open(path, "rb") as handle:
        return "sha256:" + hashlib.sha256(handle.read()).hexdigest()


def _last(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    text = lines[-1] if lines else "no reason was given"
    return "".join(char if char.isprintable() else "?" for char in text)[:400]
