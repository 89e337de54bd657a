"""Strict reading: the documented form or a refusal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from golive.errors import GoliveError
from golive.exchange import reading
from golive.exchange.ask import Question, offset_s, prepare, retry_after
from golive.exchange.model import Answer, Refused
from golive.exchange.transport import endpoint
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.exchange.venue_fixtures import NAMES, fixture

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("entries", "rule"),
    [
        ([], ("open",)), (["*"], ("open",)), (["0.0.0.0/0"], ("open",)), (["192.0.2.1", "::/0"], ("open",)), (["0.0.0.0"], ("open",)),
        (["0::0/0"], ("open",)), (["192.0.2.1"], ("listed", "192.0.2.1")), (["192.0.2.1/32"], ("listed", "192.0.2.1")),
        (["192.0.2.7/24"], ("listed", "192.0.2.0/24")), (["2001:DB8:0::1"], ("listed", "2001:db8::1")),
        (["192.0.2.2", "192.0.2.1", "192.0.2.1"], ("listed", "192.0.2.1", "192.0.2.2")),
    ],
)  # fmt: skip
def test_an_address_list(entries: list[str], rule: tuple[str, ...]) -> None:
    found = reading.ip_rule(entries)
    assert (found.state, *found.entries) == rule


@pytest.mark.parametrize("entries", [[""], ["example.test"], ["192.0.2.300"], ["192.0.2.1/33"], ["192.0.2.1", "none"]])
def test_an_address_list_with_something_else_in_it(entries: list[str]) -> None:
    with pytest.raises(Refused):
        reading.ip_rule(entries)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2019-08-24T14:15:22Z", datetime(2019, 8, 24, 14, 15, 22, tzinfo=UTC)),
        ("2026-09-14T18:53:36.000+00:00", datetime(2026, 9, 14, 18, 53, 36, tzinfo=UTC)),
        ("2026-09-14T18:53:36+0200", datetime(2026, 9, 14, 16, 53, 36, tzinfo=UTC)),
    ],
)
def test_iso_times(text: str, moment: datetime) -> None:
    assert reading.moment_iso(text, "x") == moment


@pytest.mark.parametrize(
    "text", ["", "2019-08-24", "2019-08-24T14:15:22", "2019-13-24T14:15:22Z", "yesterday", "2019-08-24T14:15:22+99:99"]
)
def test_times_without_a_zone_or_meaning(text: str) -> None:
    with pytest.raises(Refused):
        reading.moment_iso(text, "x")


@pytest.mark.parametrize("seconds", [0, -1, 10**15])
def test_seconds_outside_of_time(seconds: int) -> None:
    with pytest.raises(Refused):
        reading.moment_s(seconds, "x")


@pytest.mark.parametrize(
    ("told", "key", "same"),
    [
        ("abcdef", "abcdef", True), ("abcd****", "abcdef", True),
        ("abcd...", "abcdef", True), ("abcd***f", "abcdef", True), ("abcd***x", "abcdef", False),
        ("abcd*** ", "abcdef", False), ("abcd*e*f", "abcdef", False), ("abc***", "abcdef", False),
        ("abcx****", "abcdef", False), ("abcd", "abcdef", False), ("", "abcdef", False), ("****", "abcdef", False),
        ("abcdefg", "abcdef", False),
    ],
)  # fmt: skip
def test_whether_a_told_key_is_ours(told: str, key: str, same: bool) -> None:
    assert reading.same_key(told, key) is same


@given(st.binary(max_size=300), st.sampled_from([200, 400, 500]))
def test_any_bytes_at_all_are_refused_or_reported_by_every_venue(body: bytes, status: int) -> None:
    for name in NAMES:
        venue = fixture_venue(name)
        answer = Answer(status, {}, body)
        try:
            venue.check(answer)
            venue.read(answer, CREDENTIALS[name])
        except Refused:
            continue


CREDENTIALS = {name: fixture(name).credential for name in NAMES}
VENUES = {name: fixture(name).venue() for name in NAMES}


def fixture_venue(name: str):  # type: ignore[no-untyped-def]
    return VENUES[name]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120), ("0", 0), ("999999", 86400), ("", None), ("-5", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("9" * 50, None)],
)
def test_retry_after(text: str, seconds: int | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("text", "offset"),
    [("Sat, 21 Nov 2026 12:00:10 GMT", -10.0), ("Sat, 21 Nov 2026 11:58:30 GMT", 90.0), ("", None), ("soon", None), ("Sat, 99 Nov", None)],
)
def test_the_clock_offset(text: str, offset: float | None) -> None:
    assert offset_s({"date": text}, NOW) == offset


@pytest.mark.parametrize(
    "url", ["http://x", "https://", "https://u:p@x", "https://x/path", "https://x?q=1", "ftp://x", "https://x:99999", "https://[::1"]
)
def test_addresses_that_are_not_asked(url: str) -> None:
    with pytest.raises(GoliveError) as caught:
        endpoint(url)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize("proxy", ["http://u:p@x:1", "https://x:1", "socks5://x", "http://"])
def test_proxies_that_are_not_used(proxy: str) -> None:
    with pytest.raises(GoliveError) as caught:
        endpoint("https://x", proxy=proxy)
    assert "u:p" not in str(caught.value)


def test_addresses_that_are_asked() -> None:
    assert endpoint("venue.test:8443").port == 8443
    assert endpoint("https://[::1]:443").host == "::1"
    assert endpoint("https://x", proxy="http://p:8080").proxy == "p:8080"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"venue": "krakn"}, "venue"), ({"market": "moon"}, "market"), ({"environment": "testnet"}, "environment"),
        ({"deadline_s": 0}, "timeout"), ({"deadline_s": 1e9}, "timeout"), ({"base_url": "http://x"}, "base_url"),
        ({"venue": "okx"}, "credential"),
    ],
)  # fmt: skip
def test_a_question_that_means_nothing_is_named(change: dict[str, object], where: str) -> None:
    with pytest.raises(GoliveError) as caught:
        prepare(Question("kraken", CREDENTIALS["kraken"])._replace(**change))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("venue", "secret"),
    [
        ("kraken", "not base64!"),
        ("kraken", "c2hvcnQ="),
        ("kraken_futures", "no!zz"),
        ("binance", "-----BEGIN PRIVATE KEY-----\nxx"),
        ("coinbase", "abc"),
        ("coinbase", "-----BEGIN EC PRIVATE KEY-----\n"),
    ],
)
def test_a_secret_of_the_wrong_form_is_told_without_quoting_it(venue: str, secret: str) -> None:
    flaw = VENUES[venue].flaw(CREDENTIALS[venue]._replace(secret=secret))
    assert flaw
    assert secret not in flaw
    assert VENUES[venue].flaw(CREDENTIALS[venue]) is None
