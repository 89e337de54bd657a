"""What a run knows of itself: verdicts, audit chain, issuers, red proofs, privacy."""

from __future__ import annotations

import json
import urllib.parse
from datetime import timedelta

import pytest
from golive import audit, bundle, canonical, envelope
from golive.canonical import utc
from golive.errors import Undecided
from golive.probes.report import FACTS, observe

from tests.fixtures import people as p

from .fake_look import NOW, FakeLook

CONTROLS = {
    "a.one": {"severity": "critical", "built": True, "attest": False, "probe": "file", "drift": True},
    "a.two": {"severity": "medium", "built": True, "attest": False, "probe": "file"},
    "a.said": {"severity": "high", "built": True, "attest": True, "probe": "attestation"},
}
CHECKLIST = [
    {
        "section": "x",
        "items": [
            {"text": "t", "seed": ["s-001"], "controls": ["a.one", "a.two"]},
            {"text": "u", "seed": ["s-002"], "controls": ["a.said"]},
        ],
    }
]


def verdict(control, word="pass", severity="critical", age=30):
    return {"control": control, "verdict": word, "severity": severity, "at": utc(NOW - timedelta(seconds=age))}


class Run:
    def __init__(self, root):
        self.root, self.reports = root, root / "reports/s"
        self.path = self.reports / "20261121T115900Z-abcdef"
        self.path.mkdir(parents=True)
        self.path.chmod(0o700)
        profile = {"values": {}, "scaled": {}}
        self.write("compiled.json", {"controls": CONTROLS, "checklist": CHECKLIST})
        self.write("profile.json", {**profile, "digest": canonical.digest(profile)})
        self.write("run.json", {"release": {"catalogue": canonical.digest(CONTROLS), "profile": canonical.digest(profile)}})

    def write(self, name, value):
        path = self.path / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        path.chmod(0o600)

    def gate(self, phase="preflight", *verdicts, age=20):
        self.write(
            f"{phase}/gate.json", {"phase": phase, "open": True, "at": utc(NOW - timedelta(seconds=age)), "verdicts": list(verdicts)}
        )

    def ask(self, question, *, known=None, **more):
        look = FakeLook(rehearsal=False, secrets=known, context={"root": str(self.root), "system": "s", "run_dir": str(self.path)})
        return observe({"question": question, **more}, look)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_a_line_is_green_when_all_its_controls_are(run):
    run.gate("preflight", verdict("a.one"), verdict("a.two"))
    facts = run.ask("items", seeds=["s-001"]).facts
    assert (facts["failed"], facts["undecided"], facts["complete"], facts["same_release"]) == (0, 0, True, True)
    assert set(facts) <= set(FACTS)


def test_one_red_control_is_counted_wherever_it_was_judged(run):
    run.gate("preflight", verdict("a.one"))
    run.gate("paper", verdict("a.two", "fail"))
    assert run.ask("items", seeds=["s-001"]).facts["failed"] == 1


def test_a_control_that_was_not_judged_is_missing_and_not_green(run):
    run.gate("preflight", verdict("a.one"))
    facts = run.ask("items", seeds=["s-001"]).facts
    assert (facts["missing"], facts["complete"]) == (["a.two"], False)


def test_the_worst_host_counts(run):
    run.gate("preflight", verdict("a.one"), verdict("a.one", "undecided"))
    assert run.ask("controls", controls=["a.one"]).facts["undecided"] == 1


def test_a_line_that_the_list_does_not_have_is_undecided(run):
    with pytest.raises(Undecided, match="s-999"):
        run.ask("items", seeds=["s-999"])


def test_a_phase_without_its_gate_is_incomplete(run):
    run.gate("preflight", verdict("a.one"))
    facts = run.ask("phases", phases=["preflight", "verify"]).facts
    assert (facts["complete"], facts["missing"], facts["age_s"]) == (False, ["verify"], 20)


def test_a_changed_catalogue_is_another_release(run):
    run.gate("preflight", verdict("a.one"))
    run.write("compiled.json", {"controls": {**CONTROLS, "a.one": {"severity": "low"}}, "checklist": CHECKLIST})
    assert run.ask("phases", phases=["preflight"]).facts["same_release"] is False


def test_the_oldest_critical_observation_counts(run):
    run.gate("preflight", verdict("a.one", age=700), verdict("a.two", severity="medium", age=9000))
    facts = run.ask("freshness", severity="critical").facts
    assert (facts["oldest_age_s"], facts["failed"]) == (700, 0)


def test_an_intact_chain(run):
    log = audit.AuditLog(run.reports / "audit.jsonl")
    log.append(run="r", actor="golive", act="open", subject="s", detail={})
    facts = run.ask("audit").facts
    assert (facts["chain_intact"], facts["entries"]) == (True, 1)
    assert "off_host_head_matches" not in facts


def test_an_edited_chain_is_red_and_says_where(run):
    log = audit.AuditLog(run.reports / "audit.jsonl")
    log.append(run="r", actor="golive", act="open", subject="s", detail={})
    path = run.reports / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"open"', b'"shut"'))
    facts = run.ask("audit").facts
    assert facts["chain_intact"] is False
    assert "line 1" in facts["chain_reason"]


def test_a_truncated_chain_is_seen_by_the_head_that_was_carried_away(run):
    log = audit.AuditLog(run.reports / "audit.jsonl")
    for _ in range(2):
        log.append(run="r", actor="golive", act="open", subject="s", detail={})
    path = run.reports / "audit.jsonl"
    head = str(audit.check(path.read_bytes()).head)
    (run.root / "heads.json").write_text(json.dumps([head]))
    assert run.ask("audit", heads="heads.json").facts["off_host_head_matches"] is True
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    facts = run.ask("audit", heads="heads.json").facts
    assert (facts["chain_intact"], facts["off_host_head_matches"]) == (True, False)


def test_no_chain_is_undecided(run):
    with pytest.raises(Undecided):
        run.ask("audit")


def proof(run, control="a.one", probe="file", digest=None, verdict="fail", age_days=1):
    folder = run.root / "proofs"
    folder.mkdir(exist_ok=True)
    at = utc(NOW - timedelta(days=age_days))
    (folder / f"{control}-{verdict}-{age_days}.json").write_text(
        json.dumps(
            {"control": control, "probe": probe, "probe_digest": digest or bundle.probe("file").digest, "verdict": verdict, "at": at}
        )
    )


def test_a_control_is_proven_by_its_own_red(run):
    proof(run)
    proof(run, "a.two")
    seen = run.ask("red_proofs", directory="proofs", max_age_days=90)
    assert seen.facts["unproven"] == []
    assert seen.opportunities == 2


@pytest.mark.parametrize("how", [{"digest": "sha256:" + "0" * 64}, {"verdict": "pass"}, {"age_days": 91}])
def test_a_changed_probe_a_green_and_an_old_red_prove_nothing(run, how):
    proof(run, "a.two")
    proof(run, "a.one", **how)
    assert run.ask("red_proofs", directory="proofs", max_age_days=90).facts["unproven"] == ["a.one"]


def test_a_file_may_hold_many_proofs_and_the_strongest_grade_that_counts_is_told(run):
    good = {"control": "a.one", "probe": "file", "probe_digest": bundle.probe("file").digest, "verdict": "fail", "at": utc(NOW)}
    lost = {**good, "grade": "here", "probe_digest": "sha256:" + "0" * 64}
    (run.root / "proofs").mkdir()
    held = [{**good, "grade": "method"}, {**good, "grade": "adapter"}, lost, {**good, "control": "a.two", "verdict": "undecided"}]
    (run.root / "proofs/red_proofs.json").write_text(json.dumps({"proofs": held}))
    facts = run.ask("red_proofs", directory="proofs").facts
    assert (facts["unproven"], facts["grades"]) == (["a.two"], {"a.one": "adapter"})


def test_no_proof_leaves_all_unproven_but_attestations(run):
    assert run.ask("red_proofs", directory="proofs").facts["unproven"] == ["a.one", "a.two"]


def test_a_file_that_others_may_read_is_named(run):
    assert run.ask("privacy").facts["readable_by_others"] == []
    (run.path / "run.json").chmod(0o644)
    assert run.ask("privacy").facts["readable_by_others"] == ["run.json"]


KEY = {"vault:kv/s/live#key": json.dumps({"key": "SANDBOXkeyOfTheTest", "secret": "c2VjcmV0LW9mLXRoZS10ZXN0LWtleQ=="})}


@pytest.mark.parametrize("spell", [str, lambda text: text[::-1], lambda text: text.encode().hex(), urllib.parse.quote])
@pytest.mark.parametrize("place", ["changes.jsonl", "../tickets/bot/ticket.json", "../audit.jsonl", "../../../attestations/s/note.json"])
def test_a_trading_secret_is_found_wherever_golive_writes(run, place, spell):
    assert run.ask("secrets", known=KEY, references=list(KEY)).facts["secret_matches"] == 0
    path = run.path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"after": "x" + spell("c2VjcmV0LW9mLXRoZS10ZXN0LWtleQ==") + "x"}))
    facts = run.ask("secrets", known=KEY, references=list(KEY)).facts
    assert (facts["secret_matches"], len(facts["secret_files"])) == (1, 1)
    assert path.name in facts["secret_files"][0]


@pytest.mark.parametrize("known", [{}, KEY])
def test_without_a_secret_to_look_for_nothing_is_known(run, known):
    with pytest.raises(Undecided):
        run.ask("secrets", known=known, references=list(KEY) if not known else [])


def test_what_a_rehearsal_only_counts_does_not_make_observations_stale(run):
    run.gate("signoff", {**verdict("a.one", "fail"), "closes": False})
    assert run.ask("freshness", severity="critical").facts["failed"] == 0
    run.gate("paper", {**verdict("a.one", "fail"), "closes": True})
    assert run.ask("freshness", severity="critical").facts["failed"] == 1


def test_only_what_can_be_observed_without_a_stimulus_has_to_be_young(run):
    run.gate("paper", verdict("a.one"), verdict("a.drilled", age=9000))
    assert run.ask("freshness", severity="critical").facts["oldest_age_s"] == 30


def enrolled(run, *lines, issuers="{ci: [ci-main], drill: [drill-main]}"):
    folder = run.root / "signers/s"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "roles.yml").write_text(
        "production:\n  people: {Anna: {principals: [anna], roles: [operator, approver]}}\n"
        f"  issuers: {issuers}\nrehearsal: {{people: {{}}, issuers: {{}}}}\n"
    )
    (folder / "production.allowed_signers").write_bytes(p.signers_text(list(lines)))


def test_each_kind_of_evidence_has_a_key_of_its_own(run):
    enrolled(run, *(p.enrol(name, namespaces="golive-evidence") for name in ("ci-main", "drill-main")))
    data = envelope.build(kind="ci", name="all", system="s", subject="sha256:" + "a" * 64, issued=NOW - timedelta(seconds=5),
                          lasts=timedelta(days=1),
                          issuer="ci-main", role="issuer", payload={"name": "all"})  # fmt: skip
    envelope.write(run.root / "evidence", data, p.key_of("ci-main"), "ci-main")
    facts = run.ask("issuers", directory="evidence").facts
    assert (facts["shared_keys"], facts["unknown_issuers"], facts["envelopes"]) == ([], [], 1)


def test_a_key_that_signs_as_two_kinds_is_named(run):
    enrolled(run, p.enrol("ci-main", namespaces="golive-evidence"), p.enrol("drill-main", key="ci-main", namespaces="golive-evidence"))
    (run.root / "evidence").mkdir()
    (found,) = run.ask("issuers", directory="evidence").facts["shared_keys"]
    assert "for ci-main and for drill-main" in found


def test_no_waiver_is_open(run):
    enrolled(run, p.enrol("anna", namespaces="golive-waiver"))
    (run.root / "waivers").mkdir()
    facts = run.ask("waivers", directory="waivers").facts
    assert (facts["open"], facts["expired"], facts["critical_longest_s"]) == (0, [], 0)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"verdicts": 7}'])
def test_a_damaged_gate_is_undecided(run, text):
    run.write("preflight/gate.json", text)
    with pytest.raises(Undecided):
        run.ask("controls", controls=["a.one"])


@pytest.mark.parametrize("ask", [{"question": "love"}, {"question": "controls"}, {"question": "phases"}, {"question": "red_proofs"}])
def test_a_question_that_means_nothing_is_undecided(run, ask):
    with pytest.raises(Undecided):
        run.ask(**ask)
