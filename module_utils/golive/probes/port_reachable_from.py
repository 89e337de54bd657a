"""port_reachable_from: which ports answer, seen from where the plan looks: open, refused (nothing filters), or silent (dropped)."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from typing import Any, Dict, List, Mapping, Optional, Set, Tuple

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

#: asked last: what it waits for comes meanwhile
WAITS = True
_FRESH_S = 10.0
_Way = Tuple[str, float]    # as which user, and how long each attempt may take
_begun: Dict[_Way, _Attempt] = {}


class _Attempt(threading.Thread):
    """One attempt of all targets of a way, beside the other questions of the plan."""

    def __init__(self, way: _Way, targets: List[str], host: str) -> None:
        super().__init__(daemon=True)
        self._way, self.targets, self._host, self.at = way, frozenset(targets), host, time.monotonic()
        self._words: Dict[str, str] = {}
        self._failed: Optional[Exception] = None
        self.start()

    def run(self) -> None:
        try:
            # Its own time, which the attempts keep: the deadline of the question that asks is kept by who waits.
            look = Look(self._host, "", False, {}, self.at + self._way[1] + 8)
            self._words = _tried(sorted(self.targets), self._way, look)
        except Exception as exc:  # noqa: BLE001 (said by the question that asks)
            self._failed = exc

    def words(self, seconds: float) -> Dict[str, str]:
        """Return what was found. Raises what the attempt raised, Undecided where it is not at its end."""
        self.join(seconds)
        if self._failed is not None:
            raise self._failed
        if self.is_alive():
            raise Undecided("the ports could not be tried in time")
        return self._words


def expect(asks: List[Dict[str, Any]], host: str) -> None:
    """Begin with all questions of a plan: a dropped packet costs its timeout once, and other questions are answered meanwhile.

    Names are tried by the question that has them only: one that does not resolve must not make another one late.
    """
    _begun.clear()
    expected: Dict[_Way, Set[str]] = {}
    for ask in asks:
        try:
            address = str(ask.get("address") or "")
            named = [*_targets(ask.get("targets"), address, ask.get("ports")),
                     *_targets(ask.get("control_targets"), address, ask.get("control_ports"))]
            way = _way(ask)
        except (Undecided, ValueError, TypeError):
            continue  # said by the question itself
        expected.setdefault(way, set()).update(one for one in named if _is_address(one))
    _begun.update({way: _Attempt(way, sorted(targets), host) for way, targets in expected.items() if targets})


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
    """Return what is known of each target: by an attempt of seconds ago for all questions of the plan, or by one now."""
    way = _way(ask)
    begun = _begun.get(way)
    if begun is not None and time.monotonic() - begun.at > _FRESH_S:
        begun = _begun[way] = _Attempt(way, sorted(begun.targets), look.host)
    if begun is not None and set(targets) <= begun.targets:
        return begun.words(look.left())
    return _tried(targets, way, look)


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
