"""Each way in which a ticket can be wrong is refused, on the controller's and on the host's path, by a text that says which."""
from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import ticket
from golive.sets import release_tree
from golive.signing import examine_ticket
from golive.ticket import Refused
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import people as p

Judge = Callable[..., str]


def on_controller(tmp_path: Path, data: bytes, *, policy: Any = None, signers: bytes | None = None, by: Any = ("anna", "bert"),
                  namespace: str = "golive-arm", keys: Any = None, now: Any = p.NOW) -> str:
    source = p.deliver(tmp_path / "signed", data, by, namespace, keys)
    examine_ticket(Path(source), signers if signers is not None else p.signers_text(), policy or p.make_policy(), now)
    return "accepted"


def on_target(tmp_path: Path, data: bytes, *, policy: Any = None, signers: bytes | None = None, by: Any = ("anna", "bert"),
              namespace: str = "golive-arm", keys: Any = None, now: Any = p.NOW) -> str:
    host = p.build_host(tmp_path / "host", policy=policy, signers=signers)
    host.now = now
    host.install(p.deliver(tmp_path / "delivered", data, by, namespace, keys))
    return "accepted"


@pytest.fixture(params=[on_controller, on_target])
def judge(request: pytest.FixtureRequest, tmp_path: Path) -> Judge:
    def run(changes: dict[str, Any] | None = None, **how: Any) -> str:
        return str(request.param(tmp_path, ticket.encode(p.make_ticket(**(changes or {}))), **how))

    return run


def refusal(judge: Judge, *args: Any, **how: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        judge(*args, **how)
    return caught.value


def test_what_the_asked_people_signed_is_accepted(judge: Judge) -> None:
    assert judge() == "accepted"


def test_a_third_valid_signature_does_no_harm(judge: Judge) -> None:
    assert judge(by=("anna", "bert", "carl")) == "accepted"


LAB = p.make_policy(rehearsal=True)


@pytest.mark.parametrize(("code", "words", "changes", "how"), [
    ("expired", "the ticket expired at 2026-11-22T11:00:00Z", {}, {"now": p.NOW + timedelta(days=1)}),
    ("not_yet_valid", "not yet valid: it begins at", {}, {"now": p.NOW - timedelta(hours=2)}),
    ("too_few", "signed by 1 of the 2 people", {}, {"by": ("anna",)}),
    ("too_few", "signed by 0 of the 2 people", {}, {"by": ()}),
    ("too_few", "enrolled as Anna", {}, {"by": ("anna", "anna-laptop")}),
    ("too_few", "made for 'solo', this host asks for 'pair'", {"people": "solo"}, {}),
    ("same_key", "twice with the same key", {}, {"keys": {"bert": "anna"}}),
    ("same_key", "with the key of carl", {}, {"keys": {"bert": "carl"}}),
    ("wrong_role", "needs the roles operator, approver", {}, {"by": ("anna", "carl")}),
    ("wrong_namespace", "signed the ticket for golive-attest", {}, {"namespace": "golive-attest"}),
    ("wrong_namespace", "is enrolled for golive-attest", {}, {"signers": p.signers_text(
        [p.enrol("anna"), p.enrol("bert", namespaces="golive-attest")])}),
    ("wrong_system", "for the system other, this is s", {"system": "other"}, {}),
    ("wrong_host", "for the host bot2, this is bot", {"host": "bot2"}, {}),
    ("wrong_venue", "for the venue binance", {"venue": "binance"}, {}),
    ("rehearsal_fence", "never arms production", {"rehearsal": True}, {}),
    ("lab_signed", "a key of the lab never signs for production", {}, {"by": ("lab-anna", "lab-bert")}),
    ("lab_signed", "a key of the lab never signs for production", {}, {"by": ("anna", "bert", "lab-anna")}),
    ("lab_signed", "enrols lab-anna", {}, {"signers": p.signers_text([p.enrol("lab-anna"), p.enrol("bert")])}),
    ("lab_signed", "enrols anna", {"rehearsal": True}, {"policy": LAB}),
    ("rehearsal_fence", "never arms a rehearsal host", {}, {
        "policy": LAB, "by": ("lab-anna", "lab-bert"), "signers": p.signers_text([p.enrol("lab-anna"), p.enrol("lab-bert")])}),
    ("unknown_signer", "who is not enrolled", {}, {"by": ("anna", "mallory")}),
    ("unknown_signer", "which is not enrolled", {}, {"keys": {"bert": "mallory"}}),
    ("key_expired", "the key of bert expired", {}, {"signers": p.signers_text(
        [p.enrol("anna"), p.enrol("bert", options='valid-before="20261120Z"')])}),
    ("key_not_yet_valid", "the key of bert is valid from", {}, {"signers": p.signers_text(
        [p.enrol("anna"), p.enrol("bert", options='valid-after="20261122Z",valid-before="20301231Z"')])}),
    ("same_key", "one key is one person", {}, {"signers": p.signers_text([p.enrol("anna"), p.enrol("bert", key="anna")])}),
    ("signers_file", "not of the form", {}, {"signers": p.signers_text([p.enrol("anna"), p.enrol("*", key="bert")])}),
    ("signers_file", "not of the form", {}, {"signers": p.signers_text([p.enrol("anna,bert", key="anna")])}),
    ("signers_file", "the option cert-authority", {}, {"signers": p.signers_text(
        [p.enrol("anna", options='cert-authority,valid-before="20301231Z"')])}),
    ("signers_file", "lacks valid-before", {}, {"signers": p.signers_text(["anna namespaces=\"golive-arm\" " + p.public("anna")])}),
    ("signers_file", "lacks namespaces", {}, {"signers": p.signers_text(["anna valid-before=\"20301231Z\" " + p.public("anna")])}),
    ("signers_file", "the Z means UTC", {}, {"signers": p.signers_text([p.enrol("anna", options='valid-before="20301231"')])}),
    ("malformed", "epoch", {"epoch": -1}, {}),
    ("malformed", "release", {"release": {}}, {}),
    ("malformed", "missing or unknown fields: extra", {"extra": 1}, {}),
    ("wrong_role", "has no entry in the roles file", {}, {
        "policy": p.make_policy(persons={"anna": {"person": "Anna", "roles": ["operator"]}})}),
])
def test_a_wrong_ticket_is_refused_and_the_text_says_which(judge: Judge, code: str, words: str, changes: dict[str, Any],
                                                            how: dict[str, Any]) -> None:
    found = refusal(judge, changes, **how)
    assert (found.code, words in str(found)) == (code, True), str(found)


def test_a_text_changed_after_signing_is_refused(tmp_path: Path) -> None:
    source = Path(p.deliver(tmp_path / "signed", ticket.encode(p.make_ticket())))
    (source / "ticket.json").write_bytes(ticket.encode(p.make_ticket(limits={**p.LIMITS, "position_size_usdt": "500"})))
    for judge in (lambda: examine_ticket(source, p.signers_text(), p.make_policy(), p.NOW),
                  lambda: p.build_host(tmp_path / "host").install(str(source))):
        with pytest.raises(Refused, match="changed after it was signed") as caught:
            judge()
        assert caught.value.code == "changed_subject"


def test_solo_asks_one_person_and_desk_three(judge: Judge) -> None:
    assert judge({"people": "solo"}, by=("anna",), policy=p.make_policy(people="solo", roles=["operator"])) == "accepted"
    desk = p.make_policy(people="desk", roles=["operator", "approver", "trader"])
    assert refusal(judge, {"people": "desk"}, policy=desk).code == "too_few"
    assert judge({"people": "desk", "nonce": "1" * 32}, by=("anna", "bert", "carl"), policy=desk) == "accepted"


def test_one_person_with_two_roles_does_not_fill_both(judge: Judge) -> None:
    both = p.make_policy()
    both["persons"]["bert"] = {"person": "Bert", "roles": []}
    both["persons"]["anna"] = {"person": "Anna", "roles": ["operator", "approver"]}
    assert refusal(judge, policy=both).code == "wrong_role"


# --- what only the host can see -------------------------------------------------------------------------------------

def install(host: ticket.Host, tmp_path: Path, **changes: Any) -> dict[str, Any]:
    return host.install(p.deliver(tmp_path / "delivered", ticket.encode(p.make_ticket(**changes))))


def test_a_second_delivery_is_a_replay_a_restart_is_not(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    install(host, tmp_path)
    assert host.check() == "valid"
    assert host.check() == "valid"
    with pytest.raises(Refused, match="a ticket arms once") as caught:
        install(host, tmp_path)
    assert caught.value.code == "replayed"
    host.remove()
    with pytest.raises(Refused, match="a ticket arms once"):
        install(host, tmp_path)


def test_another_text_with_a_used_nonce_is_a_replay(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    install(host, tmp_path)
    with pytest.raises(Refused, match="a ticket arms once"):
        install(host, tmp_path, stage="day3")


@pytest.mark.parametrize("spoil", ["release link", "release file", "file added", "file made writable", "config", "limit", "no release"])
def test_another_subject_on_the_host_is_refused_at_delivery_and_at_each_start(tmp_path: Path, spoil: str) -> None:
    host = p.build_host(tmp_path / "host")
    install(host, tmp_path)
    root, config = tmp_path / "host", dict(p.CONFIG)
    if spoil == "release link":
        other = root / "opt/bot/releases" / ("cd" * 32)
        other.mkdir()
        (other / "release.json").write_text("{}")
        (root / "opt/bot/current").unlink()
        (root / "opt/bot/current").symlink_to(f"releases/{other.name}")
    elif spoil == "release file":
        (root / f"opt/bot/releases/{p.RELEASE}/app/bot.py").write_text("print('steal')\n")
    elif spoil == "file added":
        (root / f"opt/bot/releases/{p.RELEASE}/app/sitecustomize.py").write_text("import steal\n")
    elif spoil == "file made writable":
        (root / f"opt/bot/releases/{p.RELEASE}/app/bot.py").chmod(0o666)
    elif spoil == "config":
        (root / "etc/bot/live.json").write_text(json.dumps({**config, "venue": {"rest_url": "https://elsewhere"}}))
    elif spoil == "limit":
        (root / "etc/bot/live.json").write_text(json.dumps({**config, "position_size_usdt": "7"}))
    else:
        (root / "opt/bot/current").unlink()
    code = "limits" if spoil == "limit" else "changed_subject"
    for attempt in (host.check, lambda: install(host, tmp_path, nonce="2" * 32)):
        with pytest.raises(Refused) as caught:
            attempt()
        assert caught.value.code == code


def test_the_tree_digest_is_the_one_by_which_releases_are_deployed(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/run").write_text("#!/bin/sh\n")
    (tmp_path / "bin/run").chmod(0o755)
    (tmp_path / "loose").write_text("x")
    (tmp_path / "loose").chmod(0o666)
    (tmp_path / "link").symlink_to("bin/run")
    (tmp_path / "empty").mkdir()
    assert ticket.tree_digest(str(tmp_path)) == release_tree.read(str(tmp_path))


@pytest.mark.parametrize(("path", "value", "ok"), [
    ("position_size_usdt", "5.00", True), ("position_size_usdt", 5.0, True), ("position_size_usdt", "4", True),
    ("position_size_usdt", "5.01", False), ("position_size_usdt", "-5", False), ("position_size_usdt", None, False),
    ("position_size_usdt", True, False), ("max_positions", 3, False),
    ("trade_pairs", [], True), ("trade_pairs", ["SHIB/USDT", "PEPE/USDT"], False), ("circuit_breaker.enabled", False, False),
    ("circuit_breaker.total_loss", "-31", False), ("circuit_breaker.total_loss", "-20", True), ("circuit_breaker.total_loss", "20", False),
    ("circuit_breaker.total_loss", "NaN", False),
])
def test_a_limit_is_a_cap(path: str, value: Any, ok: bool) -> None:
    config = json.loads(json.dumps(p.CONFIG))
    *above, last = path.split(".")
    holder = config[above[0]] if above else config
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    if ok:
        ticket.check_limits(p.LIMITS, config)
    else:
        with pytest.raises(Refused):
            ticket.check_limits(p.LIMITS, config)


@pytest.mark.parametrize(("name", "mode"), [
    ("allowed_signers", 0o666), ("allowed_signers", 0o664), ("policy.json", 0o646), ("", 0o777), ("..", 0o775),
])
def test_files_that_others_may_change_are_not_trusted(tmp_path: Path, name: str, mode: int) -> None:
    host = p.build_host(tmp_path / "host")
    (tmp_path / "host/etc/golive/arm" / name).chmod(mode)
    with pytest.raises(Refused, match="may be changed by others"):
        install(host, tmp_path)


def test_a_linked_or_missing_signers_file_is_not_trusted(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    path = tmp_path / "host/etc/golive/arm/allowed_signers"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused) as caught:
        install(host, tmp_path)
    assert caught.value.code == "signers_file"


@pytest.mark.parametrize("offset", [6.0, -3600.0, float("nan")])
def test_a_clock_off_the_venues_is_refused(tmp_path: Path, offset: float) -> None:
    host = p.build_host(tmp_path / "host")
    source = p.deliver(tmp_path / "delivered", ticket.encode(p.make_ticket()))
    with pytest.raises(Refused, match="off the venue's") as caught:
        host.install(source, offset)
    assert caught.value.code == "clock"


def test_a_clock_set_back_does_not_revive_an_expired_ticket(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    install(host, tmp_path)
    host.now = p.NOW + timedelta(days=2)
    with pytest.raises(Refused, match="no way to ask the venue"):
        host.check()
    host.now = p.NOW + timedelta(minutes=1)
    with pytest.raises(Refused, match="it was set back") as caught:
        host.check()
    assert caught.value.again, "a clock gets right by itself: asked again, never started"


_json = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
                     lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3), max_leaves=6)


@given(field=st.sampled_from(sorted(ticket.FIELDS)), value=_json)
def test_a_ticket_field_of_any_shape_is_judged_not_crashed_on(field: str, value: Any) -> None:
    with contextlib.suppress(Refused):
        ticket.parse_ticket(ticket.encode(p.make_ticket(**{field: value})))


@given(field=st.sampled_from(sorted(ticket.POLICY_FIELDS)), value=_json)
def test_a_policy_field_of_any_shape_is_judged_not_crashed_on(field: str, value: Any) -> None:
    with contextlib.suppress(Refused):
        ticket.parse_policy(ticket.encode(p.make_policy(**{field: value})))


@given(value=st.binary(max_size=40) | _json.map(ticket.encode))
def test_any_bytes_are_judged_not_crashed_on(value: bytes) -> None:
    with pytest.raises(Refused):
        ticket.parse_ticket(value)
    with pytest.raises(Refused):
        ticket.parse_signature(value, "a signature")
    with contextlib.suppress(Refused):
        assert ticket.parse_signers(value, False) == []
