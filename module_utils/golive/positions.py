#!/usr/bin/env python3
"""How many positions does the venue say are open? Asked on the bot's host, by root, while the live unit is *not* running.

One file, standard library only, Python 3.9+; `ticket.py check` runs it when a ticket has expired. Prints `{"open": N}`; everything that
is not an answer of the venue ends with exit 1 and one sentence: silence is not zero. Kraken spot: a position is a base asset of the
bot's pairs of which at least the smallest order's size is held (docs.kraken.com, REST v0: Balance, AssetPairs).

It draws its nonce from the bot's own source and writes back what it used, so that the bot's next call is above it.
"""
from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from decimal import Decimal, InvalidOperation
from typing import Any, Dict, List, Optional

SETTINGS = "/etc/golive/positions.json"
CREDENTIAL = "/etc/golive/arm/exchange_key.cred"
TIMEOUT_S = 5.0
KEYS = {"url", "ca_file", "pairs", "nonce_file"}


class Problem(Exception):
    """Why the question has no answer, in one sentence without a secret."""


def settings_from(path: str) -> Dict[str, Any]:
    """Return `{url, ca_file, pairs, nonce_file}`. Raises Problem."""
    try:
        with open(path, encoding="utf-8") as handle:
            found = json.load(handle)
    except (OSError, ValueError) as exc:
        raise Problem("%s cannot be read as JSON: %s" % (path, type(exc).__name__)) from None
    pairs = found.get("pairs") if isinstance(found, dict) else None
    if not isinstance(found, dict) or set(found) != KEYS or not isinstance(pairs, list) or not pairs:
        raise Problem("%s does not hold exactly %s, with at least one pair" % (path, ", ".join(sorted(KEYS))))
    return found


def credential_from(path: str) -> Dict[str, str]:
    """Return `{key, secret}` out of the credential that is encrypted to this host. Raises Problem."""
    try:
        done = subprocess.run(["systemd-creds", "decrypt", "--name=exchange_key", path, "-"], capture_output=True, check=False, timeout=20)
        found = json.loads(done.stdout.decode("utf-8")) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("key"), str) or not isinstance(found.get("secret"), str):
        raise Problem("the exchange key on this host cannot be opened")
    return found


def next_nonce(path: str) -> int:
    """Return a nonce above all that the bot has used or reserved, and keep it before it is used. Raises Problem when the bot holds it."""
    if not os.path.isdir(os.path.dirname(path)):
        return time.time_ns() // 1000  # the bot has never run here, so it has used none
    try:
        with _lock_of(path):
            last = 0
            if os.path.exists(path):
                with open(path, encoding="ascii") as handle:
                    last = int(handle.read().strip())
            nonce = max(last + 1, time.time_ns() // 1000)
            owner = os.stat(path if os.path.exists(path) else os.path.dirname(path))
            fresh = path + ".positions"
            with open(fresh, "w", encoding="ascii") as handle:
                handle.write("%d\n" % nonce)
                handle.flush()
                os.fsync(handle.fileno())
            os.chmod(fresh, 0o600)
            os.chown(fresh, owner.st_uid, owner.st_gid)  # the bot writes this file again
            os.replace(fresh, path)
            return nonce
    except (OSError, ValueError) as exc:
        raise Problem("no nonce can be drawn from the bot's source (%s); is the bot running?" % type(exc).__name__) from None


def _lock_of(path: str) -> Any:
    """Return the bot's lock, held until it is closed. It is the bot's file: it is never made here, where it would become root's."""
    lock = os.path.splitext(path)[0] + ".lock"
    handle = open(lock if os.path.exists(lock) else os.devnull, encoding="ascii")  # noqa: SIM115 (closed by who asked)
    if handle.name == lock:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            raise
    return handle


def ask(settings: Dict[str, Any], credential: Dict[str, str]) -> int:
    """Return how many base assets of the pairs are held. Raises Problem when the venue does not answer or answers otherwise."""
    listed = _call(settings, "/0/public/AssetPairs?pair=" + urllib.parse.quote(",".join(settings["pairs"])))
    nonce = next_nonce(settings["nonce_file"])
    path, body = "/0/private/Balance", urllib.parse.urlencode({"nonce": nonce}).encode("ascii")
    try:
        secret = base64.b64decode(credential["secret"], validate=True)
    except ValueError:
        raise Problem("the exchange key's secret is not base64") from None
    message = path.encode("ascii") + hashlib.sha256(str(nonce).encode("ascii") + body).digest()
    sign = base64.b64encode(hmac.new(secret, message, hashlib.sha512).digest()).decode("ascii")
    balances = _call(settings, path, body, {"API-Key": credential["key"], "API-Sign": sign})
    if not isinstance(listed, dict) or not isinstance(balances, dict) or len(listed) < len(set(settings["pairs"])):
        raise Problem("the venue did not name every pair and balance")
    smallest: Dict[str, Decimal] = {}
    for pair in listed.values():
        base, least = str(pair["base"]), _number(pair["ordermin"])
        smallest[base] = min(least, smallest.get(base, least))
    return sum(1 for base, least in smallest.items() if _number(balances.get(base, "0")) >= least)


def _call(settings: Dict[str, Any], path: str, body: Optional[bytes] = None, headers: Optional[Dict[str, str]] = None) -> Any:
    url = str(settings["url"]).rstrip("/") + path
    if not url.startswith(("https://", "http://127.0.0.1")):
        raise Problem("the venue's address is not https")
    handlers: List[Any] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=settings["ca_file"])))
    request = urllib.request.Request(url, data=body, headers=headers or {})  # noqa: S310 (https, or loopback in tests)
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S) as answer:
            found = json.loads(answer.read(8 << 20).decode("utf-8"))
        errors, result = found["error"], found.get("result")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise Problem("the venue did not answer: %s" % type(exc).__name__) from None
    if errors:
        raise Problem("the venue refused: %s" % "; ".join(str(one) for one in errors)[:200])
    return result


def _number(value: Any) -> Decimal:
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Problem("the venue gave an amount that is no number") from None
    if not found.is_finite():
        raise Problem("the venue gave an amount that is no number")
    return found


def main(arguments: Optional[List[str]] = None) -> int:
    """Print `{"open": N}` and return 0, or say why not and return 1."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        settings = settings_from(given[0] if given else SETTINGS)
        print(json.dumps({"open": ask(settings, credential_from(given[1] if len(given) > 1 else CREDENTIAL))}))
        return 0
    except (Problem, KeyError, TypeError) as exc:
        print("positions: %s" % (exc if isinstance(exc, Problem) else "the venue's answer has another form"), file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
