"""Rehearsal and production refuse each other's keys, addresses and answers."""

from __future__ import annotations

import pytest
from golive.exchange import fence


@pytest.mark.parametrize(
    ("rehearsal", "key", "addresses", "sent"),
    [
        (True, "SANDBOXabc", ["172.30.77.12"], True), (True, "SANDBOXabc", ["127.0.0.1"], True), (True, "SANDBOXabc", ["fd00::1"], True),
        (True, "realkey", ["172.30.77.12"], False), (True, "SANDBOXabc", ["104.17.1.1"], False),
        (True, "SANDBOXabc", ["172.30.77.12", "104.17.1.1"], False), (False, "realkey", ["104.17.1.1", "2606:4700::1"], True),
        (False, "realkey", ["172.30.77.12"], False), (False, "realkey", ["104.17.1.1", "127.0.0.1"], False),
        (False, "realkey", ["fe80::1%eth0"], False), (False, "SANDBOXabc", ["104.17.1.1"], False), (False, "realkey", [], True),
    ],
)  # fmt: skip
def test_what_may_be_sent(rehearsal: bool, key: str, addresses: list[str], sent: bool) -> None:
    assert (fence.before(rehearsal, key, addresses) is None) is sent


@pytest.mark.parametrize(
    ("rehearsal", "headers", "counts"),
    [
        (True, {"x-golive-sandbox": "rehearsal"}, True), (True, {"x-golive-sandbox": " Rehearsal "}, True), (True, {}, False),
        (True, {"x-golive-sandbox": "production"}, False), (False, {}, True), (False, {"x-golive-sandbox": "rehearsal"}, False),
        (False, {"x-golive-sandbox": ""}, False),
    ],
)  # fmt: skip
def test_which_answers_count(rehearsal: bool, headers: dict[str, str], counts: bool) -> None:
    assert (fence.after(rehearsal, headers) is None) is counts
