"""When live trading ends: a silent venue, a flapping one, and public prices that do not help a bot without answers."""
from __future__ import annotations

from typing import Any

import pytest
from kraken_micro.failsafe import VenueHealth


@pytest.fixture
def health(make_config: Any, clock: Any) -> VenueHealth:
    return VenueHealth(make_config().failsafe, clock)  # after 5 s; half of at least 10 calls within 30 s


def test_a_venue_that_answers_is_no_trouble(health: VenueHealth, clock: Any) -> None:
    for _ in range(50):
        health.good("private")
        clock.now += 1
    assert health.trouble() is None


def test_one_bad_answer_is_no_trouble_yet(health: VenueHealth, clock: Any) -> None:
    health.bad("private", "503")
    clock.now += 4.9
    assert health.trouble() is None


def test_a_venue_without_good_answers_for_long_is_trouble_with_its_last_words(health: VenueHealth, clock: Any) -> None:
    health.bad("private", "first")
    clock.now += 5
    health.bad("private", "EService:Unavailable")
    assert "EService:Unavailable" in str(health.trouble())


def test_a_good_answer_starts_the_time_again(health: VenueHealth, clock: Any) -> None:
    health.bad("private", "503")
    clock.now += 4
    health.good("private")
    clock.now += 4
    assert health.trouble() is None


def test_good_prices_do_not_make_up_for_lost_private_answers(health: VenueHealth, clock: Any) -> None:
    health.bad("private", "timeout")
    for _ in range(30):
        clock.now += 0.2
        health.good("public")
    assert "private" in str(health.trouble())


@pytest.mark.parametrize(("good", "bad", "trouble"), [(5, 5, True), (6, 5, False), (0, 9, False), (4, 5, False)])
def test_a_venue_that_flaps_is_trouble_from_half_of_enough_calls(health: VenueHealth, good: int, bad: int, trouble: bool) -> None:
    for _ in range(bad):
        health.bad("private", "flap")
    for _ in range(good):
        health.good("private")
    assert (health.trouble() is not None) is trouble


def test_calls_before_the_window_do_not_count(health: VenueHealth, clock: Any) -> None:
    for _ in range(9):
        health.bad("private", "flap")
    health.good("private")
    assert health.trouble() is not None
    clock.now += 31
    for _ in range(10):
        health.good("private")
    assert health.trouble() is None
