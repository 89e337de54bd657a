"""What the guard does outside the venue: tell the bot by a forced ssh command, page, show its heartbeat, ask for the kill."""
from __future__ import annotations

import asyncio
import http.client
import json
import os
import ssl
import urllib.parse
from typing import Any, Dict, List, Optional, Tuple

from .decide import Bot, Finding

SSH_TIMEOUT_S = 9.0     # a word that is not acknowledged within 10 s is not waited for
PAGE_TIMEOUT_S = 5.0


async def run(argv: List[str], given: bytes, timeout: float) -> Tuple[int, bytes, str]:
    """Run a command; return its exit, output and last words. Never raises: what fails is said."""
    try:
        process = await asyncio.create_subprocess_exec(*argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                                                       stderr=asyncio.subprocess.PIPE)
    except OSError as exc:
        return -1, b"", "%s: %s" % (argv[0], exc.strerror)
    try:
        out, err = await asyncio.wait_for(process.communicate(given), timeout)
    except asyncio.TimeoutError:
        return -1, b"", "no answer within %g s" % timeout
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out, err.decode("utf-8", "replace").strip()[-200:]


async def tell_bot(argv: List[str], words: List[str]) -> Tuple[Optional[Bot], List[str], str]:
    """Tell the bot's host the words; return what it said of the bot (None: nothing), the acknowledged words, and the trouble."""
    _code, out, err = await run(argv, json.dumps({"words": words}).encode(), SSH_TIMEOUT_S)
    try:
        said = json.loads(out)
        age = said["decision_age_s"]
        bot = Bot(bool(said["running"]), None if age is None else float(age))
        return bot, [str(word) for word in said["acknowledged"]], "; ".join(str(one) for one in said["problems"])[:200]
    except (ValueError, KeyError, TypeError):
        return None, [], err or "the bot's host gave no usable answer"


def page(target: Dict[str, str], system: str, findings: List[Finding], done: str) -> None:
    """Send one alert a finding to the receiver. Raises OSError when they were not taken."""
    with open(target["token_file"], encoding="ascii") as handle:
        token = handle.read().strip()
    parts = urllib.parse.urlsplit(target["url"])
    tls = ssl.create_default_context(cafile=target["ca_file"] or None)
    body: List[Dict[str, Any]] = [
        {"labels": {"alertname": "Guard", "check": one.check, "severity": "critical", "system": system},
         "annotations": {"summary": one.text, "action": one.action, "done": done}} for one in findings]
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port or 443, timeout=PAGE_TIMEOUT_S, context=tls)
    try:
        connection.request("POST", parts.path or "/alerts", json.dumps(body),
                           {"Authorization": "Bearer " + token, "Content-Type": "application/json"})
        status = connection.getresponse().status
    except http.client.HTTPException as exc:
        raise OSError(type(exc).__name__) from None
    finally:
        connection.close()
    if status >= 300:
        raise OSError("status %d" % status)


def highest_epoch(directory: str) -> int:
    """Return the highest epoch that a kill raised on this host; 0 when there is none."""
    try:
        return max([int(name) for name in os.listdir(directory) if name.isdigit()] or [0])
    except OSError:
        return 0


def ask_for_kill(path: str, reason: str) -> None:
    """Write the file that starts the kill switch on this host (unit golive-guard-kill.path). Raises OSError."""
    fresh = path + ".new"
    with open(fresh, "w", encoding="utf-8") as handle:
        handle.write(reason + "\n")
    os.replace(fresh, path)


def write_state(path: str, state: Dict[str, Any]) -> None:
    """Replace the state file in one step. Raises OSError."""
    fresh = path + ".new"
    handle = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o640)
    try:
        os.write(handle, json.dumps(state, sort_keys=True).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(fresh, path)
