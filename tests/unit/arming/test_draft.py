"""A ticket is drafted from what was read; an earlier one that says the same is kept, so that nobody signs twice for nothing."""
from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import draft, ticket
from golive.audit import GENESIS, Head
from golive.errors import GoliveError

from tests.fixtures import people as p


def build(**changes: Any) -> bytes:
    given = {"system": "s", "host": "bot", "rehearsal": False, "venue": "kraken", "release": p.make_ticket()["release"], "stage": "day1",
             "limits": {"position": 5.0, "pairs": ["SHIB/USDT"], "enabled": True, "loss": -30.10}, "lasts": timedelta(hours=12),
             "budget": {"loss": 10.0, "deadline": "2026-11-23T00:00:00Z", "sample": {"fills": 20}}, "now": p.NOW, "head": Head(0, GENESIS),
             "epoch": 0, "key_fingerprint": "0" * 16, "people": "pair", **changes}
    return draft.build(**given)


def test_limits_are_written_as_decimal_text_never_as_binary_fractions() -> None:
    found = ticket.parse_ticket(build())
    assert found["limits"] == {"position": "5", "pairs": ["SHIB/USDT"], "enabled": True, "loss": "-30.1"}
    assert found["budget"]["loss"] == "10"


def test_a_whole_loss_is_decimal_text_as_well() -> None:
    budget = {"loss": 10, "deadline": "2026-11-23T00:00:00Z", "sample": {}}
    assert ticket.parse_ticket(build(budget=budget))["budget"]["loss"] == "10"


def test_two_drafts_never_share_a_nonce() -> None:
    assert ticket.parse_ticket(build())["nonce"] != ticket.parse_ticket(build())["nonce"]


def test_what_would_be_no_ticket_is_not_drafted() -> None:
    with pytest.raises(GoliveError, match="no ticket can be drafted"):
        build(release={})


@pytest.mark.parametrize(("changes", "later", "kept"), [
    ({}, timedelta(0), True), ({"head": Head(3, "sha256:" + "1" * 64)}, timedelta(hours=1), True), ({"stage": "day3"}, timedelta(0), False),
    ({"epoch": 1}, timedelta(0), False), ({"key_fingerprint": "1" * 16}, timedelta(0), False), ({}, timedelta(hours=11, minutes=45), False),
    ({"limits": {"position": 6.0}}, timedelta(0), False), ({"people": "solo"}, timedelta(0), False),
])
def test_an_earlier_ticket_is_kept_only_if_it_says_the_same_and_lasts(changes: dict[str, Any], later: timedelta, kept: bool) -> None:
    now = p.NOW + later
    assert draft.still_good(build(), ticket.parse_ticket(build(**changes, now=now)), now) is kept


def test_a_replaced_draft_moves_aside_with_its_signatures(tmp_path: Path) -> None:
    place = draft.file(tmp_path, "bot", build())
    (place / "ticket.json.anna.sig").write_text("signed")
    draft.file(tmp_path, "bot", build(stage="day3"))
    assert [one.name for one in place.iterdir()] == ["ticket.json"]
    assert len(list((tmp_path / "tickets").glob("bot.before-*/ticket.json.anna.sig"))) == 1


def test_the_words_say_whether_it_is_real_money() -> None:
    assert draft.words(ticket.parse_ticket(build())).startswith("REAL MONEY: s on kraken, host bot, stage day1")
    assert draft.words(ticket.parse_ticket(build(rehearsal=True))).startswith("REHEARSAL")
