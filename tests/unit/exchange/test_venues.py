"""Every venue reads its documented answers as they are meant, and classifies its documented errors."""

from __future__ import annotations

import pkgutil

import pytest
from golive.canonical import utc
from golive.errors import GoliveError
from golive.exchange import venues
from golive.exchange.model import RIGHTS, Refused

from tests.unit.exchange.venue_fixtures import NAMES, STAMP, answer, fixture, talk

CASES = [(name, case) for name in NAMES for case in fixture(name).cases]
REFUSALS = [(name, number) for name in NAMES for number in range(len(fixture(name).refusals))]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_documented_answer_is_read_as_it_is_meant(name: str, case: str) -> None:
    found = fixture(name)
    expect = found.cases[case]["expect"]
    report = talk(found, found.cases[case]["body"])
    assert sorted(right for right, value in report.rights.items() if value) == sorted(set(expect["granted"]))
    assert sorted(right for right, value in report.rights.items() if value is None) == sorted(expect["unknown"])
    assert list(report.rights) == list(RIGHTS)
    assert list(report.unrecognised) == expect["unrecognised"]
    assert [report.ip.state, *report.ip.entries] == expect["ip"]
    for name_of_time in ("created", "expires"):
        if name_of_time in expect:
            value = getattr(report, name_of_time)
            assert (value if value is None or isinstance(value, str) else utc(value)) == expect[name_of_time]
    for plain in ("active", "sub_account", "days_left"):
        if plain in expect:
            assert getattr(report, plain) == expect[plain]


@pytest.mark.parametrize(("name", "number"), REFUSALS)
def test_a_documented_error_is_classified(name: str, number: int) -> None:
    found = fixture(name)
    refusal = found.refusals[number]
    with pytest.raises(Refused) as caught:
        talk(found, refusal["body"], refusal["status"])
    assert caught.value.kind == refusal["kind"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "body", ["", "<!DOCTYPE html><title>Maintenance</title>", "{", "[]", "{}", "null", "1", '"x"', '{"a":1,"a":2}', "NaN", "[" * 5000]
)
@pytest.mark.parametrize("status", [200, 404, 429, 503])
def test_an_undocumented_answer_is_a_refusal_and_never_a_report(name: str, body: str, status: int) -> None:
    with pytest.raises(Refused):
        talk(fixture(name), body, status)


def test_every_venue_file_is_loadable_by_name_and_has_fixtures() -> None:
    loaded = {venues.load(name).__module__.rsplit(".", 1)[1] for name in venues.NAMES}
    assert loaded == {module.name for module in pkgutil.iter_modules(venues.__path__)}
    askable = {name for name in venues.NAMES if venues.load(name).askable}
    assert askable == set(NAMES)


def test_an_unknown_venue_is_named_with_those_that_are_known() -> None:
    with pytest.raises(GoliveError, match="kraken_futures"):
        venues.load("krakn")


@pytest.mark.parametrize("name", venues.NAMES)
def test_a_venue_says_its_own_name(name: str) -> None:
    assert venues.load(name).name == name


def test_bitget_asks_the_unified_question_only_when_told_that_the_account_is_unified() -> None:
    found = fixture("bitget")
    dialogue = found.venue().dialogue(found.credential, lambda: STAMP, "api.bitget.com")
    assert next(dialogue).target == "/api/v2/spot/account/info"
    assert dialogue.send(answer({"code": "40085", "msg": "unified"}, 400)).target == "/api/v3/account/info"
    with pytest.raises(StopIteration):
        dialogue.send(answer(found.cases["unified"]["body"]))


def test_mexc_never_posts_because_that_rewrites_the_address_list() -> None:
    found = fixture("mexc")
    assert next(found.venue().dialogue(found.credential, lambda: STAMP, "api.mexc.com")).method == "GET"


@pytest.mark.parametrize("name", [name for name in NAMES if "another key" not in name])
def test_no_request_repr_shows_key_or_signature(name: str) -> None:
    found = fixture(name)
    request = next(found.venue().dialogue(found.credential, lambda: STAMP, "host.test"))
    shown = repr(request) + str(request) + repr(found.credential)
    for part in (*found.credential, *request.headers.values()):
        assert len(part) < 8 or part not in shown


@pytest.mark.parametrize("name", ["kraken", "kraken_futures", "bybit", "kucoin", "mexc", "gate", "htx"])
def test_an_answer_about_another_key_is_no_report(name: str) -> None:
    found = fixture(name)
    case = next(iter(found.cases.values()))
    other = found._replace(credential=found.credential._replace(key="SANDBOXsomebodyelse0000"))
    with pytest.raises(Refused):
        talk(other, case["body"])
