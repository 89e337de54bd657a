"""The balance has three sources; the next is asked when one fails, and without any it is unknown, never the last known."""
from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from kraken_micro.errors import VenueError
from kraken_micro.faults import Faults
from kraken_micro.metrics import Metrics
from kraken_micro.venue import Balances


class Rest:
    """Answers `BalanceEx` and `Balance`; what is None fails as the venue would."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    async def private(self, name: str) -> Any:
        answer = self.answers.get(name)
        if answer is None:
            raise VenueError(f"{name}: EService:Unavailable")
        return answer


class Stream:
    connected = True


class Account:
    def __init__(self, balances: Any) -> None:
        self.balances = balances


EX = {"USDT": {"balance": "100", "hold_trade": "40"}, "USDT.F": {"balance": "7"}, "SHIB": {"balance": "5"}}
PLAIN = {"USDT": "90", "SHIB": "5"}


def make(stream: Any = None, balances: Any = None, faults: Any = None, **answers: Any) -> Balances:
    return Balances(Rest(**answers), Account(balances), stream, Faults(faults or {}), Metrics())  # type: ignore[arg-type]


@pytest.mark.parametrize(("sources", "free", "tier"), [
    ({"stream": Stream(), "balances": {"USDT": Decimal(77)}, "BalanceEx": EX, "Balance": PLAIN}, "77", 1),
    ({"BalanceEx": EX, "Balance": PLAIN}, "60", 2),
    ({"stream": Stream(), "balances": None, "BalanceEx": EX, "Balance": PLAIN}, "60", 2),
    ({"Balance": PLAIN}, "90", 3),
    ({"BalanceEx": EX, "Balance": PLAIN, "faults": {"balance_tier_2_broken": True}}, "90", 3),
])  # fmt: skip
async def test_the_best_source_that_answers_is_used(sources: dict[str, Any], free: str, tier: int) -> None:
    balances = make(**sources)
    assert (await balances.free("USDT"), balances.tier) == (Decimal(free), tier)


async def test_without_any_source_the_balance_is_unknown() -> None:
    balances = make()
    assert (await balances.free("USDT"), balances.tier) == (None, 0)


async def test_a_balance_that_was_known_is_not_used_again() -> None:
    balances = make(Balance=PLAIN)
    assert await balances.free("USDT") == Decimal(90)
    balances._rest.answers.clear()  # type: ignore[attr-defined]
    assert await balances.free("USDT") is None


@pytest.mark.parametrize("broken", ["text", {"USDT": "much"}, {"USDT": {"hold_trade": "1"}}, ["USDT"]])
async def test_a_malformed_answer_is_a_source_that_fails(broken: Any) -> None:
    balances = make(BalanceEx=broken, Balance=PLAIN)
    assert (await balances.free("USDT"), balances.tier) == (Decimal(90), 3)


async def test_an_asset_that_is_not_held_is_none_of_it() -> None:
    assert await make(BalanceEx=EX).free("XBT") == Decimal(0)
