"""The drill quiet_key tells a quiet key from a used one, and refuses pairs that prove nothing."""

from __future__ import annotations

from typing import Any

import pytest
from golive.errors import GoliveError
from golive.exchange.quiet import drill_payload

FIRST = {"nonce.spent": "1795257720290", "key_fingerprint": "a" * 16, "venue": "kraken", "nonce_window": 0}
SECOND = {
    "nonce.spent": "1795257720291",
    "key_fingerprint": "a" * 16,
    "venue": "kraken",
    "quiet.moved_by_others": False,
    "quiet.waited_s": 301.0,
}


@pytest.mark.parametrize("moved", [True, False])
def test_the_payload_says_whether_somebody_used_the_key(moved: bool) -> None:
    made = drill_payload(FIRST, {**SECOND, "quiet.moved_by_others": moved})
    assert made["passed"] is not moved
    assert made["result"]["nonce_moved_by_others"] is moved
    assert made["result"]["waited_s"] == 301.0
    assert set(made) == {"name", "passed", "result", "opportunities", "witness"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"nonce.spent": None}, {}), ({}, {"nonce.spent": None}), ({}, {"key_fingerprint": "b" * 16}),
        ({}, {"nonce.spent": "1795257720292"}),
        ({}, {"quiet.moved_by_others": None}), ({"nonce_window": 10000}, {}), ({"nonce_window": None}, {}),
    ],
)  # fmt: skip
def test_a_pair_that_proves_nothing_is_refused(first: dict[str, Any], second: dict[str, Any]) -> None:
    def change(base: dict[str, Any], by: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**base, **by}.items() if value is not None}

    with pytest.raises(GoliveError):
        drill_payload(change(FIRST, first), change(SECOND, second))
