"""A venue's executions come in pages, the newest first, while the account goes on trading."""
from __future__ import annotations

from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import ledger

PAGE = 50


class Venue:
    """Answers as Kraken's TradesHistory does; `comes` executions come behind the page of this number, and move the balance."""

    def __init__(self, count: int, comes: dict[int, int]) -> None:
        self.count, self.comes, self.pages = count, comes, 0

    def private(self, name: str, **fields: str) -> Any:
        if name == "Balance":
            return {"ZUSD": str(self.count)}
        newest_first = [f"T{number}" for number in range(self.count, 0, -1)]
        offset = int(fields["ofs"])
        answer = {"count": self.count, "trades": {one: {} for one in newest_first[offset:offset + PAGE]}}
        self.count += self.comes.get(self.pages, 0)
        self.pages += 1
        return answer


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 130])
def test_all_pages_are_read(count: int) -> None:
    assert len(ledger._trades(Venue(count, {}), 0.0)) == count


@pytest.mark.parametrize("comes", [{0: 1}, {0: 7, 1: 3}, {1: 1}, {2: 1}])
def test_what_comes_between_two_pages_is_found_by_reading_again(comes: dict[int, int]) -> None:
    venue = Venue(130, comes)
    trades, balances = ledger._still(venue, 0.0)
    assert (len(trades), balances) == (venue.count, {"ZUSD": str(venue.count)})


def test_an_account_that_never_stands_still_is_undecided() -> None:
    with pytest.raises(Undecided, match="changed during each"):
        ledger._still(Venue(130, dict.fromkeys(range(1000), 1)), 0.0)
