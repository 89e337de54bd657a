"""Attestations, waivers and evidence: who may say what, for what, until when; everything else is refused by its own sentence."""
from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import attestation, canonical, envelope, evidence, signing, waiver
from golive.envelope import Reader
from golive.errors import GoliveError, Undecided
from golive.people import People
from golive.people import load as load_people
from golive.signing import SigningError
from golive.waiver import WaiverError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures import people as p

SUBJECT = "sha256:" + "a" * 64
PEOPLE = People(False, {"anna": {"person": "Anna", "roles": ["operator"]}, "bert": {"person": "Bert", "roles": ["approver"]}},
                {"ci-main": "ci", "drill-main": "drill"})
ALL = "golive-attest,golive-waiver,golive-evidence,golive-arm"
SIGNERS = p.signers_text([*(p.enrol(name, namespaces=ALL) for name in ("anna", "bert")),
                          *(p.enrol(name, namespaces="golive-evidence") for name in ("ci-main", "drill-main"))])
ATTESTED = {"statement": "owner.checked_in", "values": {"equity_seen_quote": "101.5", "positions_seen": 1}, "audit_head": "1:" + SUBJECT}


def reader(**changes: Any) -> Reader:
    return Reader(**{"system": "s", "signers": SIGNERS, "people": PEOPLE, "now": p.NOW, **changes})


def write(directory: Path, *, by: str = "anna", key: str | None = None, kind: str = "attestation", name: str = "owner.checked_in",
          at: timedelta = timedelta(minutes=-5), lasts: timedelta = timedelta(days=1), namespace: str | None = None, **fields: Any) -> Path:
    payload = fields.pop("payload", ATTESTED)
    built = canonical_of(envelope.build(kind=kind, name=name, system="s", subject=SUBJECT, issued=p.NOW + at, lasts=lasts, issuer=by,
                                        role=fields.pop("role", "operator"), payload=payload))
    built.update(fields)
    data = canonical.encode(built)
    directory.mkdir(exist_ok=True)
    path = directory / f"{built['id']}.json"
    path.write_bytes(data)
    path.with_name(f"{path.name}.{by}.sig").write_bytes(p.sign(data, key or by, namespace or envelope.NAMESPACE.get(kind, "golive-attest")))
    return path


def canonical_of(data: bytes) -> dict[str, Any]:
    return envelope.parse(data, "test")


def test_a_signed_record_is_read_with_its_signers(tmp_path: Path) -> None:
    found = reader().read(write(tmp_path), "attestation")
    assert (found.issuer, found.persons, found.people, found.subject) == ("anna", ("Anna",), 1, SUBJECT)


@pytest.mark.parametrize(("code", "words", "how", "who"), [
    ("expired", "expired at", {"at": timedelta(days=-3)}, {}),
    ("not_yet_valid", "not yet valid", {"at": timedelta(hours=1)}, {}),
    ("wrong_system", "another system", {"system": "t"}, {}),
    ("wrong_kind", "another kind", {"kind": "waiver", "namespace": "golive-attest"}, {}),
    ("wrong_namespace", "for golive-evidence, not for golive-attest", {"namespace": "golive-evidence"}, {}),
    ("wrong_role", "may not issue it", {"role": "approver"}, {}),
    ("unknown_signer", "not enrolled", {"key": "mallory"}, {}),
    ("same_key", "with the key of bert", {"key": "bert"}, {}),
    ("wrong_issuer", "who did not sign it", {"issuer": "bert"}, {}),
    ("changed_subject", "filed under another name", {"id": "x"}, {}),
    ("malformed", "not the fields", {"extra": 1}, {}),
    ("malformed", "wrong form", {"subject": "sha256:zz"}, {}),
    ("malformed", "not a UTC time", {"expires": "2026-11-22 11:00"}, {}),
    ("malformed", "expires before", {"expires": "2026-11-01T11:00:00Z"}, {}),
    ("lab_signed", "never signs for production", {"by": "lab-anna"}, {}),
    ("lab_signed", "sign rehearsals only", {}, {"signers": p.signers_text([p.enrol("lab-anna"), p.enrol("anna")])}),
    ("key_expired", "expired", {}, {"signers": p.signers_text([p.enrol("anna", namespaces=ALL, options='valid-before="20261101Z"')])}),
])
def test_a_wrong_record_is_refused_and_the_text_says_which(tmp_path: Path, code: str, words: str, how: dict[str, Any],
                                                            who: dict[str, Any]) -> None:
    path = write(tmp_path, **how)
    if "id" in how:
        path = path.rename(tmp_path / "other.json")
        next(tmp_path.glob("*.sig")).rename(tmp_path / "other.json.anna.sig")
    with pytest.raises(SigningError) as caught:
        reader(**who).read(path, "attestation")
    assert (caught.value.code, words in str(caught.value)) == (code, True), str(caught.value)


def test_an_unsigned_record_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    next(tmp_path.glob("*.sig")).unlink()
    with pytest.raises(SigningError, match="is not signed"):
        reader().read(path, "attestation")


@settings(max_examples=60)
@given(draw=st.data())
def test_no_changed_byte_of_a_record_is_accepted(tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject) -> None:
    path = write(tmp_path_factory.mktemp("record"))
    target = draw.draw(st.sampled_from([path, next(path.parent.glob("*.sig"))]))
    raw = bytearray(target.read_bytes())
    at = draw.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= draw.draw(st.integers(1, 255))
    if target.suffix == ".sig" and bytes(raw).replace(b"\n", b"") == target.read_bytes().replace(b"\n", b""):
        return
    target.write_bytes(bytes(raw))
    with pytest.raises(SigningError):
        reader().read(path, "attestation")


def test_evidence_signed_by_a_person_or_by_another_kind_of_issuer_does_not_count(tmp_path: Path) -> None:
    payload = {"name": "kill_switch", "passed": True, "result": {"stops_kept": True}, "opportunities": 3, "witness": "venue"}
    for by in ("anna", "ci-main"):
        path = write(tmp_path / by, kind="drill", name="kill_switch", by=by, payload=payload)
        with pytest.raises(SigningError, match="may not issue it"):
            reader().read(path, "drill")
    found = evidence.newest(reader(), write(tmp_path / "ok", kind="drill", name="kill_switch", by="drill-main", payload=payload).parent,
                            "drill", "kill_switch")
    facts = evidence.facts(found, SUBJECT, p.NOW)
    assert (facts["passed"], facts["result.stops_kept"], facts["age_s"]) == (True, True, 300.0)
    with pytest.raises(Undecided, match="proves nothing for it"):
        evidence.facts(found, "sha256:" + "b" * 64, p.NOW)


def test_no_record_is_undecided_and_a_forged_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(Undecided, match="there is no drill record"):
        evidence.newest(reader(), tmp_path, "drill", "kill_switch")
    payload = {"name": "kill_switch", "passed": True, "result": {}, "opportunities": None, "witness": "venue"}
    write(tmp_path, kind="drill", name="kill_switch", by="drill-main", key="mallory", payload=payload)
    assert "not enrolled" in str(evidence.forged(reader(), tmp_path, "drill", "kill_switch"))


def test_only_what_is_filed_under_the_name_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    payload = {"name": "kill_switch", "passed": True, "result": {}, "opportunities": None, "witness": "venue"}
    for name in ("kill_switch", "restart", "kill"):
        write(tmp_path, kind="drill", name=name, by="drill-main", payload={**payload, "name": name})
    write(tmp_path, kind="ci", name="kill_switch", by="ci-main", at=timedelta(minutes=-9), payload=payload)
    verified: list[str] = []
    verify = signing.verify
    monkeypatch.setattr(signing, "verify", lambda path, *rest: (verified.append(path.name), verify(path, *rest))[1])
    assert evidence.newest(reader(), tmp_path, "drill", "kill_switch").payload == payload
    assert [one.split("-")[0] for one in verified] == ["kill_switch"], "records of other names, and of another kind of evidence, are not"
    assert len(reader().read_all(tmp_path, "drill")[0]) == 3


@pytest.mark.parametrize("text", [b"", b"{}", b"not json", b'{"kind":"moon"}'])
def test_what_cannot_be_read_as_any_kind_is_told_under_its_name(tmp_path: Path, text: bytes) -> None:
    path = write(tmp_path, kind="drill", name="kill_switch", by="drill-main", payload={"name": "kill_switch"})
    path.write_bytes(text)
    assert [one.where for one in reader().read_all(tmp_path, "drill", "kill_switch")[1]] == [path.name]
    assert reader().read_all(tmp_path, "drill", "kill")[1] == []


def test_a_record_of_another_namespace_is_forged_wherever_it_lies(tmp_path: Path) -> None:
    write(tmp_path, name="kill_switch", by="anna")
    assert "not for golive-evidence" in str(evidence.forged(reader(), tmp_path, "drill", "kill_switch"))


def test_a_key_of_the_lab_enrolled_for_production_is_refused(tmp_path: Path) -> None:
    (tmp_path / "production.allowed_signers").write_bytes(p.signers_text([p.enrol("anna", key="lab-anna")]))
    (tmp_path / "rehearsal.allowed_signers").write_bytes(p.signers_text([p.enrol("lab-anna")]))
    for rehearsal in (True, False):
        with pytest.raises(SigningError, match="born with the lab"):
            signing.signers_of(tmp_path, rehearsal)


# --- attestations ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("values", "words"), [
    ({"equity_seen_quote": "101.5"}, "other values"), ({"equity_seen_quote": True, "positions_seen": 1}, "is not a number"),
    ({"equity_seen_quote": "much", "positions_seen": 1}, "is not a number"),
    ({"equity_seen_quote": "1", "positions_seen": 1, "more": 1}, "other values"),
])
def test_values_of_a_statement_are_typed(tmp_path: Path, values: Any, words: str) -> None:
    write(tmp_path, payload={**ATTESTED, "values": values})
    found = attestation.find(reader(), tmp_path, "owner.checked_in", "operator")
    assert not found.good
    assert words in str(found.bad[0])


def test_an_attestation_in_another_role_does_not_count(tmp_path: Path) -> None:
    write(tmp_path, by="bert", role="approver")
    found = attestation.find(reader(), tmp_path, "owner.checked_in", "operator")
    assert (found.good, found.bad[0].code) == ([], "wrong_role")


def test_two_sittings_are_apart_only_over_the_same_subject(tmp_path: Path) -> None:
    solo = {"statement": "signoff.solo", "values": {"worst_loss_quote": "-30"}, "audit_head": "1:" + SUBJECT}
    write(tmp_path, name="signoff.solo", payload=solo, at=timedelta(hours=-13))
    write(tmp_path, name="signoff.solo", payload=solo, at=timedelta(hours=-15), subject="sha256:" + "b" * 64)
    assert attestation.sittings_apart_s(attestation.find(reader(), tmp_path, "signoff.solo", "operator").good) is None
    write(tmp_path, name="signoff.solo", payload=solo, at=timedelta(hours=-1))
    assert attestation.sittings_apart_s(attestation.find(reader(), tmp_path, "signoff.solo", "operator").good) == 12 * 3600


def test_the_longest_gap_of_a_series_counts_the_time_since_the_last_round(tmp_path: Path) -> None:
    for hours in (9, 6, 5):
        write(tmp_path, at=timedelta(hours=-hours))
    assert attestation.series(attestation.find(reader(), tmp_path, "owner.checked_in", "operator").good, p.NOW) == (9 * 3600, 5 * 3600)


# --- waivers --------------------------------------------------------------------------------------------------------

CONTROLS = {"a.b": {"severity": "critical", "waivable": True, "how": "mend it", "expect": {"n": {"lt": 10}, "on": {"eq": True}}},
            "c.d": {"severity": "low", "waivable": False, "how": "mend it", "expect": {"n": {"lt": 10}}}}
CONTROLS.update({f"e.f{i}": {"severity": "high", "waivable": True, "how": "", "expect": {"n": {"lt": 10}}} for i in range(6)})


def waive(directory: Path, control: str = "a.b", *, hours: float = 24, facts: Any = None, **fields: Any) -> Path:
    payload = {"control": control, "reason": "the vendor mends it on Monday", "release": fields.get("subject", SUBJECT),
               "facts": {"n": 12} if facts is None else facts, "audit_head": "1:" + SUBJECT, **fields.pop("payload", {})}
    return write(directory, kind="waiver", name=control, by=fields.pop("by", "bert"), role=fields.pop("role", "approver"),
                 lasts=timedelta(hours=hours), payload=payload, **fields)


def test_a_waiver_covers_what_was_signed_for(tmp_path: Path) -> None:
    waive(tmp_path)
    found = waiver.load(reader(), tmp_path, CONTROLS)["a.b"]
    assert waiver.covers(found, CONTROLS["a.b"], SUBJECT, {"n": 12, "on": True}) is None
    assert waiver.covers(found, CONTROLS["a.b"], SUBJECT, {"n": 11, "on": True}) is None, "a better value is still covered"
    assert found.plain()["approver"] == "bert"


@pytest.mark.parametrize(("release", "facts", "words"), [
    ("sha256:" + "b" * 64, {"n": 12, "on": True}, "another release"), (SUBJECT, {"n": 13, "on": True}, "has worsened"),
    (SUBJECT, None, "nobody could look"), (SUBJECT, {"on": True}, "was not seen"), (SUBJECT, {"n": "much", "on": True}, "has worsened"),
    (SUBJECT, {"n": 12, "on": False}, "on is red as well"), (SUBJECT, {"n": 12}, "on is red as well"),
])
def test_a_waiver_ends_when_anything_is_worse_than_it_was_signed_for(tmp_path: Path, release: str, facts: Any, words: str) -> None:
    waive(tmp_path)
    found = waiver.load(reader(), tmp_path, CONTROLS)["a.b"]
    assert words in str(waiver.covers(found, CONTROLS["a.b"], release, facts))


@pytest.mark.parametrize(("words", "make"), [
    ("72 h at most", lambda d: waive(d, hours=73)), ("can never be waived", lambda d: waive(d, "c.d")),
    ("does not have", lambda d: waive(d, "x.y")), ("expired at", lambda d: waive(d, at=timedelta(days=-2))),
    ("could not be looked at", lambda d: waive(d, facts={})), ("gives no reason", lambda d: waive(d, payload={"reason": "because"})),
    ("may not issue it", lambda d: waive(d, by="anna")), ("in another role", lambda d: waive(d, by="anna", role="operator")),
    ("waived twice", lambda d: (waive(d), waive(d, at=timedelta(minutes=-1)))),
    ("5 are the most", lambda d: [waive(d, f"e.f{i}") for i in range(6)]),
    ("another release than it names", lambda d: waive(d, payload={"release": "sha256:" + "b" * 64})),
    ("not enrolled", lambda d: waive(d, key="mallory")),
])
def test_a_waiver_that_breaks_a_rule_stops_the_run(tmp_path: Path, words: str, make: Callable[[Path], Any]) -> None:
    make(tmp_path)
    with pytest.raises(WaiverError, match=words):
        waiver.load(reader(), tmp_path, CONTROLS)


def test_a_waiver_of_a_high_control_may_last_longer_than_72_hours(tmp_path: Path) -> None:
    waive(tmp_path, "e.f1", hours=100)
    assert list(waiver.load(reader(), tmp_path, CONTROLS)) == ["e.f1"]


# --- who is who -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("text", "words"), [
    ("{people: {}}; rehearsal: {}", "people and issuers"), ("[]", "production and rehearsal"),
    ("{people: {A: {roles: [operator], principals: [lab-a]}}, issuers: {}}; rehearsal: {}", "begin with lab-"),
    ("{people: {A: {roles: [oper], principals: [a]}, B: {roles: [appr], principals: [a]}}, issuers: {}}; rehearsal: {}", "stands for two"),
    ("{people: {A: {roles: [oper], principals: [a]}}, issuers: {ci: [a]}}; rehearsal: {}", "nor be a person's"),
    ("{people: {}, issuers: {ci: [a], drill: [a]}}; rehearsal: {}", "two kinds"),
    ("{people: {}, issuers: {gossip: [a]}}; rehearsal: {}", "not a kind of evidence"),
    ("{people: {A: {roles: operator, principals: [a]}}, issuers: {}}; rehearsal: {}", "list of words"),
])
def test_a_roles_file_in_which_one_name_could_be_two_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "roles.yml"
    path.write_text("production: " + text.replace("; rehearsal", "\nrehearsal"))
    with pytest.raises(GoliveError, match=words):
        load_people(path, rehearsal=False)


def test_the_committed_roles_files_can_be_read() -> None:
    root = Path(__file__).parents[3]
    for path in (root / "signers").glob("*/roles.yml"):
        for rehearsal in (True, False):
            load_people(path, rehearsal)
        assert signing.signers_of(path.parent, rehearsal=False) is not None
        assert os.path.exists(path.parent / "production.allowed_signers")
