"""on_disconnect: what is refused and in which words, and when the timer is on."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive.kill_switch.dead_man import PROFILE, DeadMan, Plan, refusals, refused_by, request

QUOTING = Plan("cancel_all", "kraken", "dedicated", False, 5.0, 60.0)


@pytest.mark.parametrize(("change", "words"), [
    ({"protects_by_orders": True}, "takes stops away with the rest"), ({"venue": "binance"}, "binance has no timer"),
    ({"account": "shared"}, "cancels the owner's orders"), ({"timeout_s": 10.0}, "would fire between decisions"),
    ({"timeout_s": 90000.0}, "1 to 86399 s"), ({"on_disconnect": "hope"}, "expected keep_stops or cancel_all, found 'hope'")])
def test_what_would_strip_stops_or_harm_the_owner_is_refused_in_words(change: dict[str, Any], words: str) -> None:
    (said,) = refusals(QUOTING._replace(**change))
    assert words in said
    with pytest.raises(ValueError, match="on_disconnect"):
        DeadMan(QUOTING._replace(**change), [], lambda name, fields: None)


@pytest.mark.parametrize("venue", ["kraken", "binance", "binance_usdm"])
def test_keeping_stops_is_never_refused(venue: str) -> None:
    assert refusals(Plan("keep_stops", venue, "shared", True, 5.0, 0.0)) == []


def test_binance_is_told_per_symbol_and_in_milliseconds() -> None:
    assert request("binance_usdm", 30, ["A", "B"]) == [{"call": "countdownCancelAll", "symbol": "A", "countdownTime": 30000},
                                                       {"call": "countdownCancelAll", "symbol": "B", "countdownTime": 30000}]
    assert request("binance", 30, ["A"]) == []


class Venue:
    """Keeps the timer's settings."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.fails = False

    def __call__(self, name: str, fields: Mapping[str, Any]) -> None:
        if self.fails:
            raise OSError("no answer")
        self.told.append(fields["timeout"])


def test_the_timer_runs_while_the_bot_decides_and_is_flat_and_at_no_other_time() -> None:
    venue = Venue()
    man = DeadMan(QUOTING, [], venue)
    man.decided(flat=True)
    man.decided(flat=True)
    man.before_a_stop()
    man.decided(flat=False)
    man.decided(flat=False)
    assert venue.told == [60, 60, 0]
    man.decided(flat=True)
    assert venue.told == [60, 60, 0, 60]


def test_a_timer_that_a_process_before_us_left_running_is_switched_off_first() -> None:
    venue = Venue()
    man = DeadMan(QUOTING._replace(on_disconnect="keep_stops", protects_by_orders=True), [], venue)
    man.decided(flat=False)
    man.decided(flat=False)
    assert venue.told == [0]


def test_a_switching_off_that_failed_is_tried_again() -> None:
    venue = Venue()
    man = DeadMan(QUOTING, [], venue)
    man.decided(flat=True)
    venue.fails = True
    with pytest.raises(OSError, match="no answer"):
        man.before_a_stop()
    venue.fails = False
    man.decided(flat=False)
    assert venue.told == [60, 0]


SAYS = {"on_disconnect": "keep_stops", "exchange_venue": "kraken", "exchange_account_shared": False, "bot_protects_by_orders": True,
        "bot_decision_max_age_s": 60, "on_disconnect_timeout_s": 180}


def test_a_profile_is_armed_with_stops_that_are_kept_and_refused_with_ones_that_are_stripped() -> None:
    assert refused_by(SAYS) == []
    assert refused_by({**SAYS, "on_disconnect": "cancel_all", "bot_protects_by_orders": False}) == []
    (said,) = refused_by({**SAYS, "on_disconnect": "cancel_all"})
    assert "a position would be left bare; use keep_stops" in said
    assert len(refused_by({**SAYS, "on_disconnect": "cancel_all", "exchange_account_shared": True, "on_disconnect_timeout_s": 5})) == 3


@pytest.mark.parametrize("name", PROFILE)
def test_a_profile_that_does_not_say_is_refused(name: str) -> None:
    (said,) = refused_by({**SAYS, name: None})
    assert name in said
    assert refused_by({**SAYS, "on_disconnect": "cancel_all", "on_disconnect_timeout_s": "soon"})


def test_the_profile_of_the_repository_may_be_armed_and_freezes_what_arming_asks() -> None:
    found: dict[str, Any] = {}
    for path in sorted((Path(__file__).parents[3] / "inventories/kraken-micro/group_vars/all").glob("*.yml")):
        found.update(yaml.safe_load(path.read_text()))
    assert refused_by(found) == []
    assert set(PROFILE) - {"exchange_venue"} <= set(found["golive_profile"])
    assert found["bot_on_disconnect_in_force"] == {"failsafe.on_disconnect": found["on_disconnect"]}
