"""The venue's timer: off where stops must outlive the bot, refreshed by decisions elsewhere, refused where it would strip a stop."""
from __future__ import annotations

import asyncio
from typing import Any

import pytest
from kraken_micro.dead_man import DeadMan
from kraken_micro.errors import BotError, VenueUnclear


class Venue:
    def __init__(self) -> None:
        self.set: list[int] = []
        self.deaf = False

    async def cancel_all_after(self, seconds: int) -> None:
        if self.deaf:
            raise VenueUnclear("silent")
        self.set.append(seconds)


@pytest.fixture
def venue() -> Venue:
    return Venue()


def decide(man: DeadMan, *flat: bool) -> None:
    for one in flat:
        asyncio.run(man.decided(one))


def test_a_timer_that_an_earlier_process_left_is_switched_off_once(make_config: Any, clock: Any, venue: Venue) -> None:
    decide(DeadMan(make_config().failsafe, venue, clock), True, False, True)
    assert venue.set == [0]


def test_a_venue_that_did_not_take_it_is_told_again(make_config: Any, clock: Any, venue: Venue) -> None:
    man, venue.deaf = DeadMan(make_config().failsafe, venue, clock), True
    decide(man, True)
    assert man.on is None
    venue.deaf = False
    decide(man, True, True)
    assert venue.set == [0]


def test_decisions_keep_the_timer_from_firing_without_using_up_calls(make_config: Any, clock: Any, venue: Venue) -> None:
    config = make_config(failsafe__on_disconnect="cancel_all", failsafe__disconnect_timeout_s=8, faults={"no_stop": True})
    man = DeadMan(config.failsafe, venue, clock)
    for _ in range(40):
        decide(man, True)
        clock.now += 0.25
    assert venue.set == [8] * 5


def test_the_timer_is_off_as_long_as_a_position_is_open(make_config: Any, clock: Any, venue: Venue) -> None:
    config = make_config(failsafe__on_disconnect="cancel_all", failsafe__disconnect_timeout_s=8, faults={"no_stop": True})
    decide(DeadMan(config.failsafe, venue, clock), True, False, False, True)
    assert venue.set == [8, 0, 8]


@pytest.mark.parametrize(("changes", "words"), [
    ({"failsafe__on_disconnect": "cancel_all"}, "takes stops away"),
    ({"failsafe__on_disconnect": "hope"}, "expected one of keep_stops, cancel_all"),
    ({"failsafe__disconnect_timeout_s": 0}, "1 to 86399"), ({"failsafe__disconnect_timeout_s": 1, "decide_s": 1}, "three decisions"),
])
def test_what_would_strip_a_stop_is_refused_in_words(make_config: Any, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BotError, match=words):
        make_config(**changes)
