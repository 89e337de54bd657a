"""A live bot's nonces are never spent unless the caller said how; the unit is never mixed up."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.exchange import nonce
from golive.exchange.ask import Question, World, ask
from golive.exchange.nonce import NonceFile, Plan
from golive.exchange.transport import Endpoint, Transport, Trouble
from golive.exchange.world import unit_state

from tests.unit.exchange.venue_fixtures import fixture

NOW_NS = 1_795_257_720_290_123_456


class Unreached(Transport):
    def addresses(self, deadline: float) -> list[str]:
        raise Trouble("reached the network", again=False)


def world(state: str = "inactive") -> World:
    return World(unit_state=lambda _unit: state, now_ns=lambda: NOW_NS, transport=Unreached)


def reason(plan: Plan, state: str = "inactive", venue: str = "kraken", **more: object) -> str:
    question = Question(venue, fixture(venue).credential, rehearsal=True, nonce=plan)
    return ask(question._replace(**more), world(state)).reason


@pytest.mark.parametrize("venue", ["kraken", "bitfinex", "gemini"])
def test_without_a_word_about_nonces_a_venue_that_has_them_is_not_asked(venue: str) -> None:
    assert "spends a nonce" in reason(Plan(), venue=venue)


@pytest.mark.parametrize("venue", ["binance", "kraken_futures", "bybit", "okx", "deribit"])
def test_a_venue_without_nonces_is_asked_without_a_word(venue: str) -> None:
    assert reason(Plan(), venue=venue) == "reached the network"


@pytest.mark.parametrize("state", ["inactive", "failed", "start-pre"])
def test_bot_stopped_is_seen(state: str) -> None:
    assert reason(Plan("bot_stopped", units=("bot-live.service",)), state) == "reached the network"


@pytest.mark.parametrize("state", ["active", "activating", "deactivating", "reloading", "not-found", ""])
def test_a_unit_that_is_not_surely_stopped_keeps_the_question_back(state: str) -> None:
    said = reason(Plan("bot_stopped", units=("bot-live.service",)), state)
    assert "bot-live.service is" in said
    assert "ask while it is stopped" in said


@pytest.mark.parametrize(
    ("plan", "where"),
    [
        (Plan("sometimes"), "nonce_source"), (Plan("own_key", unit="s"), "nonce_unit"), (Plan("file"), "nonce_file"),
        (Plan("own_key", path="/x"), "nonce_file"), (Plan("bot_stopped"), "bot_units"),
        (Plan("own_key", may_be_new=True), "nonce_file_may_be_new"),
    ],
)  # fmt: skip
def test_a_plan_that_means_nothing_is_named(plan: Plan, where: str) -> None:
    with pytest.raises(GoliveError) as caught:
        plan.checked()
    assert caught.value.where == where


@pytest.mark.parametrize(("unit", "number"), [("ms", 1_795_257_720_290), ("us", 1_795_257_720_290_123), ("ns", NOW_NS)])
def test_the_clock_in_the_bots_unit(unit: str, number: int) -> None:
    assert nonce.from_clock(unit, NOW_NS) == number
    assert nonce.from_clock(unit, NOW_NS, number + 5) == number + 6
    assert nonce.unit_of(number) == unit


def test_the_bots_own_counter_is_raised_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    path.write_text("1795257720999\n")
    assert NonceFile(str(path), "ms").take(NOW_NS) == 1_795_257_721_000
    assert path.read_text() == "1795257721000\n"
    path.write_text("1700000000000")
    assert NonceFile(str(path), "ms").take(NOW_NS) == 1_795_257_720_290
    assert path.read_text() == "1795257720290\n"


@pytest.mark.parametrize("content", ["", "12 34", "abc", "-5", "1795257720290123"])
def test_a_counter_of_another_form_or_unit_is_left_as_it_is(tmp_path: Path, content: str) -> None:
    path = tmp_path / "nonce"
    path.write_text(content)
    with pytest.raises(GoliveError):
        NonceFile(str(path), "ms").take(NOW_NS)
    assert path.read_text() == content


def test_a_counter_that_the_bot_holds_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    path.write_text("1795257720290")
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = reason(Plan("file", path=str(path)))
    # The fence and the name come first, so the counter is asked for only when something would be sent.
    assert said == "reached the network"
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(GoliveError, match="locked"):
            NonceFile(str(path), "ms").take(NOW_NS)


def test_a_counter_that_is_not_there_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="cannot be opened"):
        NonceFile(str(tmp_path / "nonce"), "ms").take(NOW_NS)
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("1795257720290")
    (tmp_path / "nonce").symlink_to(tmp_path / "real")
    with pytest.raises(GoliveError):
        NonceFile(str(tmp_path / "nonce"), "ms").take(NOW_NS)


def test_quiet_needs_a_stopped_bot() -> None:
    with pytest.raises(GoliveError) as caught:
        ask(Question("kraken", fixture("kraken").credential, rehearsal=True, quiet_since=5, nonce=Plan("venue_window")), world())
    assert caught.value.where == "quiet_since"


@pytest.mark.parametrize(
    ("code", "text", "state"),
    [
        (0, "LoadState=loaded\nActiveState=active\nSubState=running\n", "active"),
        (0, "LoadState=loaded\nActiveState=inactive\nSubState=dead\n", "inactive"),
        (0, "LoadState=loaded\nActiveState=activating\nSubState=start-pre\n", "start-pre"),
        (0, "LoadState=not-found\nActiveState=inactive\nSubState=dead\n", "not-found"),
        (1, "", ""),
        (127, "", ""),
    ],
)
def test_what_systemd_says(code: int, text: str, state: str) -> None:
    assert unit_state("x.service", lambda _argv: (code, text)) == state


def test_endpoint_is_a_plain_tuple() -> None:
    assert Endpoint("h").port == 443


def test_a_counter_that_may_be_new_is_made_whole_and_raised_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "nonce"
    first = NonceFile(str(path), "us", may_be_new=True).take(NOW_NS)
    assert (first, path.read_text(), path.stat().st_mode & 0o777) == (1_795_257_720_290_123, "1795257720290123\n", 0o600)
    assert NonceFile(str(path), "us", may_be_new=True).take(NOW_NS) == first + 1
    assert [one.name for one in tmp_path.iterdir()] == ["nonce"]


def test_a_new_counter_made_by_root_belongs_to_the_owner_of_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", lambda _handle, *owner: given.append(owner))
    NonceFile(str(tmp_path / "nonce"), "us", may_be_new=True).take(NOW_NS)
    assert given == [(tmp_path.stat().st_uid, tmp_path.stat().st_gid)]


def test_a_new_counter_needs_its_directory(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="cannot be opened"):
        NonceFile(str(tmp_path / "none/nonce"), "us", may_be_new=True).take(NOW_NS)


def test_the_lock_beside_the_counter_is_the_bots_too(tmp_path: Path) -> None:
    """The stand-in bot replaces its counter by renaming, so it locks a file beside it."""
    path = tmp_path / "nonce"
    path.write_text("1795257720290123")
    with (tmp_path / "nonce.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(GoliveError, match="locked"):
            NonceFile(str(path), "us").take(NOW_NS)
    assert NonceFile(str(path), "us").take(NOW_NS) == 1_795_257_720_290_124


def test_the_stand_in_bot_goes_on_above_the_number_that_was_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "molecule/lab/bots/kraken_micro"))
    from kraken_micro.nonce import NonceSource

    path = tmp_path / "nonce"
    taken = NonceFile(str(path), "us", may_be_new=True).take(NOW_NS)
    behind = NonceSource(path, clock=lambda: NOW_NS / 1e9 - 3600)
    assert behind.next() > taken
    with pytest.raises(GoliveError, match="locked"):
        NonceFile(str(path), "us").take(NOW_NS)
    last = behind.next()
    behind.close()
    assert NonceFile(str(path), "us").take(NOW_NS - 3600 * 10**9) > last
