"""On the host of a process: is its agent logged in to the store, and if not, lay down what it logs in with. Standard library, Python 3.9.

`python3 -ISE -` gets this file and one call of `main` with `{nonce, folder, port, owner, role_id, secret_id}`; without a `secret_id` it
only looks. The one-time secret id comes on standard input and goes to memory; it is never printed. With `{nonce, path, key, digest}` it
waits until the agent has delivered the value whose keyed hash this is.
"""
from __future__ import annotations

import hashlib
import hmac
import json
import os
import pwd
import time
import urllib.error
import urllib.request
from typing import Any, Dict, Optional

WAIT_S = 60.0


def main(given: Dict[str, Any]) -> None:
    """Print `--golive <nonce> {"authenticated": bool | null}`, or `{"delivered": bool}`, on one line."""
    if given.get("digest"):
        print("--golive %s %s" % (given["nonce"], json.dumps({"delivered": _delivered(given)})))
        return
    found: Dict[str, Any] = {"authenticated": authenticated(int(given["port"]))}
    if given.get("secret_id"):
        try:
            owner = pwd.getpwnam(str(given["owner"]))
            for name in ("role_id", "secret_id"):
                _lay(os.path.join(str(given["folder"]), name), str(given[name]), owner.pw_uid, owner.pw_gid)
            deadline = time.monotonic() + WAIT_S
            while not found["authenticated"] and time.monotonic() < deadline:
                time.sleep(0.5)
                found["authenticated"] = authenticated(int(given["port"]))
        except (OSError, KeyError) as exc:
            found["problem"] = "the agent's folder cannot be written (%s); is the agent started, and is there a user %s?" % (
                type(exc).__name__, str(given["owner"])[:32])
    print("--golive %s %s" % (given["nonce"], json.dumps(found)))


def authenticated(port: int) -> Optional[bool]:
    """Return what the agent's own metrics say; None while it does not run.

    Vault's agent has a metric for it. OpenBao's counts its failures, and forgets them sooner than it tries again (see agent.hcl.j2).
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open("http://127.0.0.1:%d/agent/v1/metrics?format=prometheus" % port, timeout=5) as answer:
            lines = answer.read(1 << 20).decode("utf-8", "replace").splitlines()
    except (OSError, urllib.error.URLError):
        return None
    values = {line.split(" ")[0].split("{")[0]: line.split()[-1] for line in lines if line and not line.startswith("#")}
    if any(name.startswith("bao_") for name in values):
        return "bao_agent_auth_failure" not in values
    return float(values.get("vault_agent_authenticated", "0")) == 1.0


def _delivered(given: Dict[str, Any]) -> bool:
    deadline = time.monotonic() + float(given["seconds"])
    while True:
        try:
            with open(str(given["path"]), "rb") as handle:
                there = hmac.new(bytes.fromhex(given["key"]), handle.read(), hashlib.sha256).hexdigest()
        except OSError:
            there = ""
        same = hmac.compare_digest(there, str(given["digest"]))
        if same or time.monotonic() >= deadline:
            return same
        time.sleep(0.2)


def _lay(path: str, text: str, uid: int, gid: int) -> None:
    """Write a private file in one step."""
    temporary = path + ".new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o400)
    with os.fdopen(descriptor, "w") as handle:
        os.fchown(handle.fileno(), uid, gid)
        handle.write(text)
    os.rename(temporary, path)
