"""Secrets in a history: a later commit that deletes one does not delete it."""

from __future__ import annotations

import base64
import hashlib
import subprocess

import pytest
from golive.errors import Undecided
from golive.leaks.index import Index
from golive.probes.git import FACTS, observe
from golive.probes.look import Completed

from .fake_look import FakeLook

FAKE_AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
KRAKEN = "q" * 43 + "Z9" * 21 + "a=="


def run(argv, **_more):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return Completed(done.returncode, done.stdout, done.stderr)


class Repository:
    def __init__(self, path):
        self.path = path
        self.git("init", "-q", "-b", "main")

    def git(self, *words):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.net", "-C", str(self.path), *words], check=True, capture_output=True
        )

    def commit(self, **files):
        for name, text in files.items():
            path = self.path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text) if text is not None else path.unlink()
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def look(self, **ask):
        look = FakeLook(commands={"git": run}, context={"root": str(self.path.parent)})
        return observe({"repository": self.path.name, "question": "secrets", **ask}, look)


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "bot").mkdir()
    made = Repository(tmp_path / "bot")
    made.commit(readme="nothing to see\n")
    return made


def test_a_clean_history_has_no_findings(repository):
    seen = repository.look()
    assert seen.facts["findings"] == []
    assert seen.facts["complete"] is True
    assert seen.opportunities == 1
    assert set(seen.facts) <= set(FACTS)


def test_a_secret_that_was_deleted_later_is_still_found(repository):
    repository.commit(config=f"key = {FAKE_AWS}\n")
    repository.commit(config=None)
    (finding,) = repository.look(patterns=["aws"]).facts["findings"]
    assert finding.startswith("config@")
    assert finding.endswith(":1: aws key id")
    assert FAKE_AWS not in finding


def test_a_secret_on_another_branch_is_found(repository):
    repository.git("checkout", "-q", "-b", "side")
    repository.commit(config=f"x\n{FAKE_AWS}\n")
    repository.git("checkout", "-q", "main")
    assert any(one.endswith(":2: aws key id") for one in repository.look().facts["findings"])


@pytest.mark.parametrize(("text", "rule"), [
    (KRAKEN, "kraken secret"),
    ('api_secret = "' + "a1B2" * 10 + '"', "exchange key in an assignment"),
    ("-----BEGIN PRIVATE " + "KEY-----\n" + "A" * 64 + "\n", "private key"),
    ("sk_live_" + "a1" * 12, "stripe key"),
    ('password: "' + "aB3dE6gH9jK2mN5pQ8sT" + '"', "secret in an assignment"),
])  # fmt: skip
def test_each_pattern_finds_its_kind(repository, text, rule):
    repository.commit(config=text + "\n")
    assert any(one.endswith(rule) for one in repository.look().facts["findings"])


@pytest.mark.parametrize("text", ['token = "aaaaaaaaaaaaaaaaaaaaaaaaa"', 'secret: "$vault_reference"', "password = getpass()"])
def test_what_is_not_random_is_no_finding(repository, text):
    repository.commit(config=text + "\n")
    assert repository.look().facts["findings"] == []


def test_a_known_secret_is_found_by_its_digest(repository):
    word = "plainlookingword-1234"
    repository.commit(config=f"x = {word}\n")
    known = "sha256:" + hashlib.sha256(word.encode()).hexdigest()
    assert repository.look(known_bad=[known]).facts["findings"][0].endswith("a known secret")


def test_only_the_asked_folder_is_read(repository):
    repository.commit(other__config=FAKE_AWS, bot__main="pass\n")
    assert repository.look(under="bot").facts["findings"] == []


def test_a_blob_that_is_too_large_makes_the_answer_incomplete(repository):
    repository.commit(large="a" * (3 << 20))
    seen = repository.look().facts
    assert seen["complete"] is False
    assert seen["skipped"][0].startswith("large@")


def test_the_tree_question_names_what_is_not_committed(repository):
    (repository.path / "readme").write_text("changed\n")
    seen = repository.look(question="tree").facts
    assert (seen["clean"], seen["changed"]) == (False, ["readme"])


@pytest.mark.parametrize("ask", [{"question": "love"}, {"patterns": ["everything"]}, {"patterns": []}, {"repository": "none"}])
def test_a_question_that_means_nothing_is_undecided(repository, ask):
    with pytest.raises(Undecided):
        repository.look(**ask)


@pytest.mark.parametrize("where", ["file", "binary", "message"])
def test_a_secret_of_the_store_is_found_by_its_hashes_in_any_spelling(repository, where):
    secret = "kQ9" + "x7Lp" * 9 + "Zz1"
    if where == "message":
        (repository.path / "x").write_text("y")
        repository.git("add", "-A")
        repository.git("commit", "-q", "-m", f"set {secret}")
    else:
        repository.commit(env=("\0" if where == "binary" else "") + "data: " + base64.b64encode(secret.encode()).decode())
        repository.commit(env=None)
    reference = "index:vault:kv/bot/key#secret"
    dumped = Index.build({"a": secret}).dump()
    look = FakeLook(commands={"git": run}, context={"root": str(repository.path.parent)}, secrets={reference: dumped})
    asked = {"repository": repository.path.name, "question": "secrets", "patterns": []}
    assert observe({**asked, "patterns": ["aws"]}, look).facts["findings"] == []
    findings = observe({**asked, "secrets": [reference]}, look).facts["findings"]
    assert len(findings) == 1
    assert findings[0].endswith("a secret of the store")
    assert secret not in findings[0]


@pytest.mark.parametrize(("text", "kind"), [
    ("token = 'ghp_" + "aB3dE5" * 6 + "'", "github token"),
    ("url = 'https://user:" + "hunter22@" + "example.net/'", "basic auth credentials"),
    ("xoxb-" + "123456789012-123456789012-aBcDeFgHiJkLmNoPqRsTuVwX", "slack token"),
    ("jwt: ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXRoaXMtb25lLWlz", "json web token")])  # fmt: skip
def test_the_forms_that_detect_secrets_knows_are_found_and_never_said(repository, text, kind):
    repository.commit(settings=text + "\n")
    repository.commit(settings="gone\n")
    found = repository.look(patterns=["services"]).facts["findings"]
    assert [one.rpartition(": ")[2] for one in found] == [kind]
    assert not any(word in "".join(found) for word in ("ghp_", "hunter22", "xoxb", "eyJ"))


def test_a_missing_detector_is_undecided_and_not_a_clean_history(repository, monkeypatch):
    monkeypatch.setattr("golive.probes._detect.DETECTORS", ("NoSuchDetector",))
    with pytest.raises(Undecided, match="has no NoSuchDetector"):
        repository.look(patterns=["services"])
