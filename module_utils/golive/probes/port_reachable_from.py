"""port_reachable_from: which ports answer, seen from where the plan looks: open, refused (nothing filters), or silent (dropped)."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from typing import Any, Dict, List, Mapping, Set, Tuple

from ..errors import Undecided
from .look import Look, Observed

WITNESS = "kernel"  # an outside host's kernel for what is seen from outside
DEADLINE_S = 20
ASK = {
    "address": "str; optional; the host that is tried, with ports",
    "ports": "list of int; optional; TCP ports of address",
    "targets": "list of str; optional; host:port each, instead of address and ports",
    "control_ports": "list of int; optional; ports of address that must be open, else nothing was seen",
    "control_targets": "list of str; optional; host:port each that must be open, else nothing was seen",
    "as_user": "str; optional; try as this user of the looking host (egress rules go by user)",
    "timeout_s": "number; optional; per attempt, 2 is the default",
}
FACTS = {
    "open": "list of str; host:port that took a connection",
    "refused": "list of str; answered with a reset: the packet got through, nobody listens",
    "silent": "list of str; no answer in time, or an ICMP prohibition: dropped on the way",
    "unknown": "list of str; no route, no such name: nothing can be said",
    "control_open": "bool; every control target took a connection",
}
# Connects, sends nothing, closes; all at once, so that a hundred silent ports cost one timeout. Text, because as another user it is a
# process of its own, and so it is where a name has to be resolved first, which no deadline interrupts. Else it runs here: no second Python.
_TRY = """
import errno, select, socket, time
def word(code):
    if code == 0: return "open"
    if code == errno.ECONNREFUSED: return "refused"
    if code in (errno.EPERM, errno.EACCES, errno.EHOSTUNREACH, errno.ETIMEDOUT): return "silent"
    return "unknown"
def tried(seconds, targets):
    words, waiting = {}, {}
    try:
        for target in targets:
            host, _, port = target.rpartition(":")
            try:
                family, kind, proto, _n, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
                one = socket.socket(family, kind, proto)
            except (OSError, ValueError):
                words[target] = "unknown"
                continue
            waiting[one] = target
            one.setblocking(False)
            try:
                code = one.connect_ex(place)
            except OSError:
                code = errno.EINVAL
            if code not in (0, errno.EINPROGRESS):
                words[waiting.pop(one)] = word(code)
                one.close()
        end = time.monotonic() + seconds
        while waiting and time.monotonic() < end:
            for one in select.select([], list(waiting), [], max(0, end - time.monotonic()))[1]:
                words[waiting.pop(one)] = word(one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                one.close()
    finally:
        for one in waiting:
            one.close()
    words.update((target, "silent") for target in waiting.values())
    return words
"""
_AS_A_PROCESS = """
import json, sys
print(json.dumps(tried(float(sys.argv[1]), sys.argv[2:])))
"""

_FRESH_S = 10.0
_Way = Tuple[str, float]    # as which user, and how long each attempt may take
_expected: Dict[_Way, Set[str]] = {}
_answers: Dict[_Way, Tuple[float, Dict[str, str]]] = {}  # when they were tried (monotonic), and what was found


def expect(asks: List[Dict[str, Any]]) -> None:
    """Learn all questions of a plan: a dropped packet costs its timeout once, and not once for each question.

    Names are tried by the question that has them only: one that does not resolve must not make another one late.
    """
    for ask in asks:
        try:
            address = str(ask.get("address") or "")
            named = [*_targets(ask.get("targets"), address, ask.get("ports")),
                     *_targets(ask.get("control_targets"), address, ask.get("control_ports"))]
            way = _way(ask)
        except (Undecided, ValueError, TypeError):
            continue  # said by the question itself
        _expected.setdefault(way, set()).update(one for one in named if _is_address(one))


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Try each target once. Opportunities are the targets that could be judged. Raises Undecided when a control target is closed."""
    address = str(ask.get("address") or "")
    tried = _targets(ask.get("targets"), address, ask.get("ports"))
    control = _targets(ask.get("control_targets"), address, ask.get("control_ports"))
    if not tried:
        raise Undecided("the question names nothing to try")
    words = _words(sorted({*tried, *control}), ask, look)
    closed = [target for target in control if words.get(target) != "open"]
    if closed:
        raise Undecided(
            "%s should be open and is %s, so a closed port proves nothing from here" % (closed[0], words.get(closed[0], "unknown"))
        )
    facts: Dict[str, Any] = {
        word: [one for one in tried if words.get(one, "unknown") == word] for word in ("open", "refused", "silent", "unknown")
    }
    if control:
        facts["control_open"] = True
    return Observed(facts, opportunities=len(tried) - len(facts["unknown"]))


def _targets(named: Any, address: str, ports: Any) -> List[str]:
    found = [str(one) for one in named or []]
    if ports:
        if not address:
            raise Undecided("the question names ports and no address")
        host = "[%s]" % address if ":" in address else address
        found += ["%s:%s" % (host, port) for port in ports]
    for one in found:
        if (
            not re.match(r"(\[[0-9a-fA-F:.%a-z]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):[0-9]{1,5}\Z", one)
            or not 0 < int(one.rpartition(":")[2]) < 65536
        ):
            raise Undecided("%s is not host:port" % one[:80])
    return found


def _way(ask: Mapping[str, Any]) -> _Way:
    return str(ask.get("as_user") or ""), min(8.0, float(ask.get("timeout_s") or 2))


def _words(targets: List[str], ask: Mapping[str, Any], look: Look) -> Dict[str, str]:
    """Return what is known of each target: by an attempt of seconds ago for another question of the plan, or by one now."""
    way = _way(ask)
    tried_at, words = _answers.get(way, (0.0, {}))
    if not words or time.monotonic() - tried_at > _FRESH_S or not set(targets) <= set(words):
        tried_at = time.monotonic()
        words = _tried(sorted({*targets, *_expected.get(way, ())}), way, look)
        if way in _expected:
            _answers[way] = (tried_at, words)
    return words


def _tried(targets: List[str], way: _Way, look: Look) -> Dict[str, str]:
    user, seconds = way
    if not user and all(_is_address(one) for one in targets):
        known: Dict[str, Any] = {}
        exec(_TRY, known)  # noqa: S102 (a constant of this file)
        here: Dict[str, str] = known["tried"](seconds, targets)
        return here
    argv = [sys.executable or "python3", "-ISc", _TRY + _AS_A_PROCESS, str(seconds), *targets]
    done = look.run(argv, timeout=seconds + 8, user=user or None)
    try:
        words: Any = json.loads(done.stdout)
    except ValueError:
        words = None
    if done.rc != 0 or not isinstance(words, dict):
        raise Undecided("the ports could not be tried: %s" % (done.stderr.strip()[-160:] or "rc %d" % done.rc))
    return {str(target): str(word) for target, word in words.items()}


def _is_address(target: str) -> bool:
    host = target.rpartition(":")[0].strip("[]")
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True
