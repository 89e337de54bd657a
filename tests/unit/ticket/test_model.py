"""The property of the live unit, over any order of deliveries, kills, crashes, clocks and answers of the venue:

without a ticket that was valid when it armed this host it never runs; with an expired one it runs exit-only and only while the venue
reports open positions; with one that a kill voided it never runs.
"""
from __future__ import annotations

import contextlib
import functools
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import ticket
from golive.ticket import Host, Refused
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.fixtures import people as p

from .test_life import Crash, crash_at

BOTH = ("anna", "bert")
verifies = functools.cache(ticket._keygen_verifies)  # the same answers as ssh-keygen's, each asked once


class LiveUnit(RuleBasedStateMachine):
    """The host beside a model of three facts: what armed it, which epoch it has seen, and what the venue says."""

    @initialize()
    def bare(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="golive-model-")
        self.root = Path(self.folder.name)
        self.answer = self.root / "answer"
        reader = [sys.executable, "-ISE", "-c", "never started: the reader is replaced below"]
        self.host: Host = p.build_host(self.root / "host", policy=p.make_policy(positions=reader))
        self.host.open_positions = self.positions  # type: ignore[method-assign]
        self.venue: int | None = 0
        self.armed: dict[str, Any] | None = None  # the ticket that was accepted last, while nothing has ended it
        self.epoch, self.void, self.used, self.number = 0, False, set[str](), 0
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ticket, "_keygen_verifies", verifies)

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()
            self.folder.cleanup()

    def positions(self, policy: Any) -> ticket.Position:
        del policy
        if self.venue is None:
            raise Refused("venue_silent", "the venue says nothing", again=True)
        return ticket.Position(self.venue)

    def deliver(self, text: dict[str, Any], by: tuple[str, ...]) -> str:
        self.number += 1
        return p.deliver(self.root / f"delivery{self.number}", ticket.encode(text), by)

    @rule(nonce=st.integers(0, 7), lead=st.sampled_from([0, 0, 1, -1]), hours=st.sampled_from([1, 48]),
          begins=st.sampled_from([-1, -1, -1, 1]), by=st.sampled_from([BOTH, BOTH, BOTH, ("anna",), ("anna", "carl")]),
          cut=st.sampled_from([None, None, None, 0, 5, 12, 18, 25, 33]))
    def delivery(self, nonce: int, lead: int, hours: int, begins: int, by: tuple[str, ...], cut: int | None) -> None:
        """Somebody delivers a ticket: good, replayed, of an older epoch, early, badly signed, and perhaps cut off in between."""
        start = self.host.now + timedelta(minutes=begins)
        text = p.make_ticket(nonce=f"{nonce:032x}", epoch=max(0, self.epoch + lead), not_before=ticket.utc(start),
                             expires=ticket.utc(start + timedelta(hours=hours)))
        good = (text["nonce"] not in self.used and text["epoch"] >= self.epoch and begins < 0 and by == BOTH)
        source = self.deliver(text, by)
        if cut is not None:
            with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Crash, Refused):
                crash_at(patch, cut)
                self.host.install(source)
        try:
            self.host.install(source)
            accepted = True
        except Refused as exc:
            accepted = exc.code == "replayed" and cut is not None and good
        assert accepted == good, text
        if good:
            self.armed, self.void = text, False
            self.used.add(text["nonce"])

    @rule(given=st.sampled_from([None, 0, 0, 1]))
    def kill(self, given: int | None) -> None:
        assert self.host.void("a kill", None if given is None else self.epoch + given) == []
        assert self.host.epoch() >= self.epoch
        self.epoch, self.void = self.host.epoch(), True

    @precondition(lambda self: self.armed is not None)
    @rule()
    def disarm(self) -> None:
        self.host.remove()
        self.armed = None

    @rule(minutes=st.sampled_from([1, 90, 60 * 50]))
    def time_passes(self, minutes: int) -> None:
        self.host.now += timedelta(minutes=minutes)

    @rule(says=st.sampled_from([None, 0, 1, 3]))
    def the_venue_says(self, says: int | None) -> None:
        self.venue = says

    @rule()
    def clock_set_back(self) -> None:
        """Whatever runs with the right clock, nothing runs with one that was set back."""
        with_right_clock = self.host.now
        with contextlib.suppress(Refused):
            self.host.check()
        self.host.now -= timedelta(days=3)
        seen = self.host._seen()
        if seen is not None and seen > self.host.now + timedelta(minutes=1):
            with pytest.raises(Refused):
                self.host.check()
        self.host.now = with_right_clock

    @invariant()
    def runs_only_as_it_may(self) -> None:
        if not hasattr(self, "host"):
            return
        try:
            found = self.host.check()
        except Refused as exc:
            found = "again" if exc.again else "no"
        assert found == self.expected()
        mark = (self.root / "host/run/bot/live/exit_only").exists()
        assert not (found == "valid" and mark)
        assert not (found == "exit_only" and not mark)

    def expected(self) -> str:
        if self.armed is None or self.void or self.armed["epoch"] < self.epoch:
            return "no"
        if ticket.utc(self.host.now) < self.armed["expires"]:
            return "valid"
        return {None: "again", 0: "no"}.get(self.venue, "exit_only")


TestLiveUnit = LiveUnit.TestCase
TestLiveUnit.settings = settings(max_examples=60, stateful_step_count=20, deadline=None,
                                 suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
