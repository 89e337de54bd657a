"""Asks one venue about one key: fence, nonce, one attempt where a refusal is an answer, bounded retries where it is not.

This is the only place that decides whether something is sent. It returns an Outcome for everything that can happen out
there; it raises GoliveError only for what the caller got wrong before anything was sent.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from typing import Callable, List, Mapping, NamedTuple, Optional, Tuple

from ..canonical import fingerprint, utc
from ..errors import GoliveError
from . import fence, nonce
from .model import (
    AMBIGUOUS,
    BAD_FORM,
    BAD_KEY,
    BAD_SIGNATURE,
    CLOCK,
    EXPIRED,
    IP_REFUSED,
    LOCKED,
    MALFORMED,
    NO_LIBRARY,
    NO_RIGHT,
    NONCE,
    NOT_ASKABLE,
    RATE,
    SERVICE,
    WRONG_ENVIRONMENT,
    Answer,
    Credential,
    KeyReport,
    Refused,
    Stamp,
    Venue,
)
from .outcome import Outcome
from .redact import redact
from .transport import Endpoint, Peer, Transport, Trouble, endpoint
from .venues import load

_SAYS = {
    BAD_KEY: "the venue does not know this key",
    BAD_SIGNATURE: "the venue refused the signature (wrong secret?)",
    IP_REFUSED: "the venue refuses this host's address for this key",
    EXPIRED: "the venue says that the key has expired",
    WRONG_ENVIRONMENT: "the key belongs to another environment of the venue",
    AMBIGUOUS: "the venue refused the call and gives one answer for several causes (key, secret, address or right)",
    NO_RIGHT: "the key may not ask about itself",
    NONCE: "the venue refused the nonce",
    CLOCK: "the venue refused the time of the request",
    RATE: "the venue limits the rate",
    LOCKED: "the venue has locked this key or address out for a while",
    SERVICE: "the venue could not answer",
    MALFORMED: "the venue's answer is not as documented",
    BAD_FORM: "the key was not used: its private key cannot be read",
    NO_LIBRARY: "the key type needs the Python package cryptography, which this host lacks",
    NOT_ASKABLE: "this venue cannot be asked what a key may do",
}
_RESTS = (0.3, 1.0)  # seconds before the second and third attempt, each times 0.5 to 1.5
_ATTEMPTS = 3


class Question(NamedTuple):
    """What to ask. `base_url` "" is the venue's own host of `environment`; `deadline_s` is for the whole call."""

    venue: str
    credential: Credential
    market: str = ""
    environment: str = "production"
    rehearsal: bool = False
    base_url: str = ""
    ca_file: str = ""
    proxy: str = ""
    deadline_s: float = 10.0
    nonce: nonce.Plan = nonce.Plan()
    quiet_since: Optional[int] = None  # ask with this nonce + 1: taken means that nobody used the key since


class World(NamedTuple):
    """What asking needs of the machine; tests put their own in."""

    unit_state: Callable[[str], str]
    now_ns: Callable[[], int] = time.time_ns
    rest: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = lambda: os.urandom(1)[0] / 255
    transport: Callable[[Endpoint], Transport] = Transport

    def now(self) -> datetime:
        """Return the time, to the microsecond, in UTC."""
        return datetime.fromtimestamp(self.now_ns() / 1e9, timezone.utc)


class _Stop(Exception):
    """Nothing was, or nothing more is to be, sent."""

    def __init__(self, refusal: str, reason: str, until: Optional[datetime] = None) -> None:
        super().__init__(refusal)
        self.refusal, self.reason, self.until = refusal, reason, until


def prepare(question: Question) -> Tuple[Venue, Endpoint]:
    """Return venue and endpoint. Raises GoliveError for options that mean nothing; sends nothing."""
    kind = load(question.venue)
    if question.market and question.market not in kind.markets:
        raise GoliveError(
            "the venue has no such market", where="market", found=repr(question.market)[:40], expected=", ".join(kind.markets)
        )
    if question.environment not in kind.hosts:
        raise GoliveError(
            "the venue has no such environment that could be asked",
            where="environment",
            found=repr(question.environment)[:40],
            expected=", ".join(sorted(kind.hosts)),
        )
    if not 0.1 <= question.deadline_s <= 120:
        raise GoliveError("out of range", where="timeout", found=question.deadline_s, expected="0.1 to 120 seconds")
    plan = question.nonce.checked()
    if question.quiet_since is not None and plan.source not in ("bot_stopped", "own_key"):
        raise GoliveError(
            "only a key that nobody uses can be quiet", where="quiet_since", todo="set nonce_source to bot_stopped or own_key"
        )
    if "passphrase" in kind.fields and not question.credential.passphrase:
        raise GoliveError("the venue's keys have a passphrase and none was given", where="credential", todo="add it as 'passphrase'")
    return kind(question.market, question.environment), endpoint(
        question.base_url or kind.hosts[question.environment], question.ca_file, question.proxy
    )


def ask(question: Question, world: World) -> Outcome:
    """Ask and return what came of it. Raises GoliveError for the caller's mistakes only."""
    venue, where = prepare(question)
    return _Asking(question, venue, where, world).outcome()


class _Asking:
    """One question on its way; holds what is learned so that every outcome can tell it."""

    def __init__(self, question: Question, venue: Venue, where: Endpoint, world: World) -> None:
        self._question, self._venue, self._where, self._world = question, venue, where, world
        self._transport = world.transport(where)
        self._deadline = time.monotonic() + question.deadline_s
        self._attempts, self._peer = 0, Peer(where.host, "", "")
        self._spent: Optional[int] = None
        self._offset: Optional[float] = None
        self._retry_after: Optional[datetime] = None
        self._signatures: List[str] = []

    def outcome(self) -> Outcome:
        """Return the report or the reason."""
        question = self._question
        base = Outcome(
            question.venue,
            self._venue.market,
            question.environment,
            question.rehearsal,
            fingerprint(question.credential.key),
            self._world.now(),
        )
        try:
            self._permit()
            report = self._report()
            base = base._replace(report=report, mistaken=self._mistaken(report))
        except _Stop as stop:
            base = base._replace(refusal=stop.refusal, reason=redact_keep(stop.reason), until=stop.until)
        return base._replace(
            as_of=self._world.now(),
            venue_host=self._peer.host,
            resolved_address=self._peer.address,
            tls_issuer=self._peer.issuer,
            attempts=self._attempts,
            nonce_spent=self._spent,
            quiet_since=question.quiet_since if self._spent is not None else None,
            clock_offset_s=self._offset,
        )

    def _permit(self) -> None:
        """Stop before anything is sent, if anything speaks against it."""
        question, venue = self._question, self._venue
        if not venue.askable:
            raise _Stop(
                NOT_ASKABLE, "%s: %s; what can stand in is the attestation %s" % (venue.title, _SAYS[NOT_ASKABLE], venue.attestation)
            )
        flaw = venue.flaw(question.credential)
        if flaw:
            raise _Stop(BAD_FORM, "the key was not used: " + flaw)
        if venue.spends_nonce:
            self._permit_nonce()
        try:
            addresses = self._transport.addresses(self._deadline)
        except Trouble as trouble:
            raise _Stop("transport", trouble.what) from None
        refused = fence.before(question.rehearsal, question.credential.key, addresses)
        if refused:
            raise _Stop("fence", refused)

    def _permit_nonce(self) -> None:
        plan = self._question.nonce
        if not plan.source:
            raise _Stop(
                "nonce_not_allowed",
                "asking %s spends a nonce of the key, which can stop a bot that uses it; say how it may be spent "
                "(nonce_source: %s)" % (self._venue.title, ", ".join(nonce.SOURCES)),
            )
        if plan.source == "bot_stopped":
            busy = nonce.running(plan.units, self._world.unit_state)
            if busy:
                raise _Stop(
                    "nonce_not_allowed", "asking %s spends a nonce of the key, and %s; ask while it is stopped" % (self._venue.title, busy)
                )

    def _mistaken(self, report: KeyReport) -> str:
        if self._venue.spends_nonce and self._question.nonce.source == "venue_window" and not report.nonce_window:
            told = "has none" if report.nonce_window == 0 else "does not tell one"
            return (
                "the key was asked beside its bot because it has a nonce window, and the venue %s; set one, or ask while the bot is stopped"
                % told
            )
        return ""

    def _stamp(self) -> Stamp:
        now_ns, plan, number = self._world.now_ns(), self._question.nonce, 0
        if self._venue.spends_nonce:
            if self._question.quiet_since is not None:
                number = max(self._question.quiet_since, self._spent or 0) + 1
            elif plan.source == "file":
                try:
                    number = nonce.NonceFile(plan.path, plan.unit, plan.may_be_new).take(now_ns)
                except GoliveError as exc:
                    raise _Stop("nonce_not_allowed", str(exc)) from None
            else:
                number = nonce.from_clock(plan.unit, now_ns, self._spent or 0)
            self._spent = number
        return Stamp(now_ns // 10**6, number, os.urandom(16).hex())

    def _report(self) -> KeyReport:
        """Return the report. One attempt when the venue has answered about the key; up to three when it has not."""
        tries = 0
        while True:
            tries += 1
            try:
                return self._talk()
            except Trouble as trouble:
                last = _Stop("transport", trouble.what)
                again = trouble.again
            except Refused as refused:
                last = self._refusal(refused)
                again = refused.kind == SERVICE
            if not again or tries >= _ATTEMPTS:
                raise last
            rest = _RESTS[tries - 1] * (0.5 + self._world.chance())
            if time.monotonic() + rest >= self._deadline:
                raise last
            self._world.rest(rest)

    def _talk(self) -> KeyReport:
        question = self._question
        talk = self._venue.dialogue(question.credential, self._stamp, self._where.host)
        try:
            request = next(talk)
            while True:
                self._signatures = [*request.headers.values(), *request.target.split("=")[1:]]
                self._attempts += 1
                answer, self._peer = self._transport.send(request, self._deadline)
                self._learn(answer)
                refused = fence.after(question.rehearsal, answer.headers)
                if refused:
                    raise _Stop("fence", refused)
                request = talk.send(answer)
        except StopIteration as done:
            report: KeyReport = done.value
            return report
        except (_Stop, Trouble, Refused):
            raise
        except Exception as exc:  # noqa: BLE001 (an answer that our reader did not foresee is undecided, and must not quote itself)
            raise Refused(MALFORMED, "it could not be read (%s)" % type(exc).__name__) from None

    def _learn(self, answer: Answer) -> None:
        self._offset = offset_s(answer.headers, self._world.now())
        self._retry_after = retry_after(answer.headers, self._world.now())

    def _refusal(self, refused: Refused) -> _Stop:
        words = redact(refused.words, self._question.credential, self._signatures)
        reason = _SAYS.get(refused.kind, "the venue answered with an error that golive does not know")
        if words:
            reason += ": '%s'" % words if refused.kind != MALFORMED else ": %s" % words
        if refused.hint:
            reason += "; " + refused.hint
        if refused.kind == CLOCK:
            reason += _clock_words(self._offset)
        if refused.kind == NONCE:
            reason += self._nonce_words()
        until = refused.until or (self._retry_after if refused.kind in (RATE, LOCKED, SERVICE) else None)
        if until:
            reason += "; not before %s" % utc(until)
        return _Stop(refused.kind, reason, until)

    def _nonce_words(self) -> str:
        if self._question.quiet_since is not None:
            return "; somebody has used this key since the last question"
        return (
            "; the key has been used with a higher number than this one in %s (a bot that counts in us or ns, a second user of the key, "
            "or a clock that was ahead): set nonce_unit to the bot's own, or make a new key" % self._question.nonce.unit
        )


def redact_keep(text: str) -> str:
    """Return our own sentence on one line; the venue's part of it has been redacted already."""
    return " ".join(text.split())[:600]


def offset_s(headers: Mapping[str, str], now: datetime) -> Optional[float]:
    """Return how far this host's clock is ahead of the venue's `Date` header, in s, to one second; None if not said."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        told = parsedate_to_datetime(headers.get("date", ""))
        return round((now - told.replace(tzinfo=told.tzinfo or timezone.utc)) / timedelta(seconds=1), 1)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


def retry_after(headers: Mapping[str, str], now: datetime) -> Optional[datetime]:
    """Return the time that a `Retry-After` header in seconds names, at most a day ahead; None if there is none."""
    text = headers.get("retry-after", "").strip()
    return now + timedelta(seconds=min(int(text), 86400)) if text.isdecimal() and len(text) < 10 else None


def _clock_words(offset: Optional[float]) -> str:
    if offset is None:
        return "; the venue does not say its own time"
    side = "ahead of" if offset > 0 else "behind"
    return "; this host's clock is %.0f s %s the venue's" % (abs(offset), side)
