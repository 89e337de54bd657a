"""Least privilege: what was said is judged, what was not said is undecided, what nobody knows is a problem."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from golive.errors import GoliveError
from golive.exchange.model import NEVER, RIGHTS, IpRule, KeyReport
from golive.exchange.outcome import NEVER_DAYS, Outcome, facts
from golive.exchange.rules import Demands, judge

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def report(*granted: str, unknown: tuple[str, ...] = (), **more) -> KeyReport:  # type: ignore[no-untyped-def]
    rights = {name: True if name in granted else None if name in unknown else False for name in RIGHTS}
    return KeyReport(rights=rights, native=("query-funds",), **more)


def outcome(found: KeyReport | None, **more) -> Outcome:  # type: ignore[no-untyped-def]
    return Outcome("kraken", "spot", "production", False, "0" * 16, NOW, report=found, **more)


def verdict(found: KeyReport, **demands) -> str:  # type: ignore[no-untyped-def]
    return judge(outcome(found), Demands(**demands).checked(("query-funds", "other-right")), NOW).verdict


def test_read_and_trade_and_nothing_else_passes() -> None:
    assert verdict(report("read", "trade")) == "pass"


@pytest.mark.parametrize("right", [name for name in RIGHTS if name not in ("read", "trade", "cancel")])
def test_every_other_right_fails(right: str) -> None:
    assert verdict(report("read", "trade", right)) == "fail"


@pytest.mark.parametrize("right", [name for name in RIGHTS if name not in ("read", "trade")])
def test_every_other_right_that_is_unknown_is_undecided(right: str) -> None:
    assert verdict(report("read", "trade", unknown=(right,))) == "undecided"


def test_cancel_comes_with_trade_but_not_without() -> None:
    assert verdict(report("read", "trade", "cancel")) == "pass"
    assert verdict(report("read", "cancel")) == "fail"
    assert verdict(report("read", "cancel"), allow=("read", "cancel")) == "pass"


def test_an_unrecognised_right_fails_even_when_any_right_is_allowed() -> None:
    assert verdict(report("read", unrecognised=("teleport",)), allow=None) == "fail"


def test_a_right_that_cannot_be_switched_off_passes_unless_it_is_forbidden() -> None:
    found = report("read", "trade", "transfer", inseparable=("transfer",))
    assert verdict(found) == "pass"
    assert verdict(found, forbid=("transfer",)) == "fail"


@pytest.mark.parametrize(("right", "word"), [("read", "pass"), ("trade", "fail"), ("query-funds", "pass"), ("other-right", "fail")])
def test_required_rights(right: str, word: str) -> None:
    assert verdict(report("read"), require=(right,)) == word


def test_a_required_right_that_is_unknown_is_undecided() -> None:
    assert verdict(report("read", unknown=("trade",)), require=("trade",)) == "undecided"


def test_a_forbidden_right_that_is_unknown_is_undecided_when_any_right_is_allowed() -> None:
    assert verdict(report("read", unknown=("withdraw",)), allow=None, forbid=("withdraw",)) == "undecided"


def test_an_unsaid_native_right_beside_an_unrecognised_one_is_not_taken_for_absent() -> None:
    judged = judge(
        outcome(report("read", unrecognised=("x",))), Demands(allow=None, forbid=("other-right",)).checked(("other-right",)), NOW
    )
    assert any("other-right" in reason for reason in judged.undecided)


@pytest.mark.parametrize(
    ("state", "entries", "match", "addresses", "word"),
    [
        ("open", (), "restricted", (), "fail"),
        ("open", (), "exact", ("192.0.2.1",), "fail"),
        ("unknown", (), "restricted", (), "undecided"),
        ("restricted", (), "restricted", (), "pass"),
        ("restricted", (), "exact", ("192.0.2.1",), "undecided"),
        ("restricted", (), "subset", ("192.0.2.1",), "undecided"),
        ("listed", ("192.0.2.1",), "restricted", (), "pass"),
        ("listed", ("192.0.2.1",), "exact", ("192.0.2.1",), "pass"),
        ("listed", ("192.0.2.1",), "exact", ("192.0.2.1/32",), "pass"),
        ("listed", ("192.0.2.1", "192.0.2.2"), "exact", ("192.0.2.1",), "fail"),
        ("listed", ("192.0.2.1",), "exact", ("192.0.2.1", "2001:db8::1"), "fail"),
        ("listed", ("192.0.2.0/24",), "exact", ("192.0.2.1",), "fail"),
        ("listed", ("192.0.2.0/24",), "exact", ("192.0.2.0/25", "192.0.2.128/25"), "fail"),
        ("listed", ("192.0.2.0/25", "192.0.2.128/25"), "exact", ("192.0.2.0/24",), "fail"),
        ("listed", ("192.0.2.1",), "subset", ("192.0.2.0/24",), "pass"),
        ("listed", ("192.0.2.0/24",), "subset", ("192.0.2.1",), "fail"),
        ("listed", ("2001:db8::1",), "subset", ("2001:db8::/32",), "pass"),
        ("listed", ("2001:db8:0::1",), "exact", ("2001:db8::1",), "pass"),
    ],
)
def test_the_address_list(state: str, entries: tuple[str, ...], match: str, addresses: tuple[str, ...], word: str) -> None:
    assert verdict(report("read", "trade", ip=IpRule(state, entries)), ip_match=match, ip_addresses=addresses) == word


@pytest.mark.parametrize(
    ("created", "limit", "word"),
    [
        (NOW - timedelta(days=89), 90, "pass"),
        (NOW - timedelta(days=90), 90, "pass"),
        (NOW - timedelta(days=90, minutes=15), 90, "fail"),
        (None, 90, "undecided"),
        (NOW + timedelta(days=1), 90, "undecided"),
    ],
)
def test_the_age(created: datetime | None, limit: int, word: str) -> None:
    assert verdict(report("read", "trade", created=created), max_age_days=limit) == word


@pytest.mark.parametrize(
    ("expires", "limit", "word"),
    [
        (NEVER, 14, "pass"),
        (NOW + timedelta(days=14), 14, "pass"),
        (NOW + timedelta(days=13), 14, "fail"),
        (NOW - timedelta(days=1), None, "fail"),
        (NOW, 0, "fail"),
        (None, 14, "undecided"),
        (None, None, "pass"),
    ],
)
def test_the_expiry(expires: datetime | str | None, limit: int | None, word: str) -> None:
    assert verdict(report("read", "trade", expires=expires), min_days_left=limit) == word


def test_days_left_as_counted_by_the_venue() -> None:
    assert verdict(report("read", "trade", days_left=13), min_days_left=14) == "fail"
    assert verdict(report("read", "trade", days_left=0)) == "fail"


def test_an_inactive_key_fails() -> None:
    assert verdict(report("read", "trade", active=False)) == "fail"


def test_no_report_is_undecided_with_the_reason() -> None:
    judged = judge(outcome(None, refusal="service", reason="the venue could not answer"), Demands(), NOW)
    assert (judged.verdict, judged.undecided) == ("undecided", ["the venue could not answer"])


def test_an_old_report_is_undecided() -> None:
    demands = Demands(max_report_age_s=3600)
    assert judge(outcome(report("read", "trade")), demands, NOW + timedelta(minutes=59)).verdict == "pass"
    assert judge(outcome(report("read", "trade")), demands, NOW + timedelta(minutes=61)).verdict == "undecided"


@pytest.mark.parametrize(
    ("demands", "named"),
    [
        ({"allow": ("reed",)}, "allow"),
        ({"require": ("everything",)}, "require"),
        ({"forbid": ("everything",)}, "forbid"),
        ({"require": ("read",), "forbid": ("read",)}, "require and forbid"),
        ({"require": ("withdraw",)}, "require"),
        ({"ip_match": "equal"}, "ip_allowlist.match"),
        ({"ip_match": "exact"}, "ip_allowlist.addresses"),
        ({"ip_match": "exact", "ip_addresses": ("192.0.2.300",)}, "ip_allowlist.addresses"),
    ],
)
def test_a_demand_that_means_nothing_is_named(demands: dict[str, object], named: str) -> None:
    with pytest.raises(GoliveError) as caught:
        Demands(**demands).checked(())  # type: ignore[arg-type]
    assert caught.value.where == named


def test_facts_leave_out_what_is_not_known() -> None:
    found = facts(outcome(report("read", "trade", unknown=("withdraw",))), NOW)
    assert "rights.withdraw" not in found
    assert "rights.granted" not in found
    assert found["rights.unknown"] == ["withdraw"]
    assert found["rights.granted_at_least"] == ["read", "trade"]
    assert "ip.restricted" not in found
    assert "age_days" not in found


def test_facts_of_a_whole_report() -> None:
    whole = report("read", "trade", "cancel", ip=IpRule("listed", ("192.0.2.1",)), created=NOW - timedelta(days=2), expires=NEVER)
    found = facts(outcome(whole), NOW, ["192.0.2.1"])
    assert found["rights.granted"] == ["read", "trade"]
    assert found["rights.withdraw"] is False
    assert (found["ip.restricted"], found["ip.equals_egress"], found["ip.list"]) == (True, True, ["192.0.2.1"])
    assert (found["age_days"], found["days_left"], found["expires"]) == (2.0, NEVER_DAYS, "never")


def test_an_unrecognised_right_keeps_granted_away() -> None:
    assert "rights.granted" not in facts(outcome(report("read", unrecognised=("x",))), NOW)


@pytest.mark.parametrize(
    ("entries", "egress", "equal"),
    [
        (("192.0.2.1",), ["192.0.2.1"], True),
        (("192.0.2.1",), ["192.0.2.1", "2001:db8::1"], False),
        (("192.0.2.1",), None, None),
        (("192.0.2.1",), [], None),
    ],
)
def test_equals_egress(entries: tuple[str, ...], egress: list[str] | None, equal: bool | None) -> None:
    assert facts(outcome(report("read", ip=IpRule("listed", entries))), NOW, egress).get("ip.equals_egress") is equal


def test_a_key_open_to_all_never_equals_the_egress() -> None:
    assert facts(outcome(report("read", ip=IpRule("open"))), NOW, ["192.0.2.1"])["ip.equals_egress"] is False


@pytest.mark.parametrize(
    ("refusal", "authenticates"),
    [
        ("bad_key", False),
        ("bad_form", False),
        ("ip_refused", False),
        ("no_right", True),
        ("service", None),
        ("nonce", None),
        ("fence", None),
    ],
)
def test_whether_the_key_authenticates(refusal: str, authenticates: bool | None) -> None:
    assert outcome(None, refusal=refusal).authenticates is authenticates
