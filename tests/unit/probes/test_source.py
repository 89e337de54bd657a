"""Source at a commit: what is not committed does not count, what cannot be read is said."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import source
from golive.probes.look import Completed

from .fake_look import FakeLook


def run(argv: Any, **_more: Any) -> Completed:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return Completed(done.returncode, done.stdout, done.stderr)


class Repository:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.net", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(self.path), *who, *words], check=True, capture_output=True)

    def write(self, **files: str) -> Repository:
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def commit(self) -> Repository:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")
        return self

    def ask(self, question: str, **ask: Any) -> Any:
        look = FakeLook(commands={"git": run}, context={"root": str(self.path)})
        found = source.observe({"question": question, **ask}, look)
        return found if isinstance(found, dict) else found.facts


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


APP = "from app.deep import work\n\ndef main():\n    work()\n"


def test_only_what_the_entry_point_reaches_is_read(repository: Repository) -> None:
    repository.write(
        app__main_DOT_py=APP, app__deep_DOT_py="def work():\n    pass\n", app__unused_DOT_py="def never():\n    ...\n"
    ).commit()
    facts = repository.ask("stubs", entry_points=["app/main.py"])
    assert facts["stubs"] == ["app/deep.py:1 work"]
    assert (facts["functions"], facts["files"]) == (2, 2)


def test_relative_imports_and_packages_are_followed(repository: Repository) -> None:
    repository.write(
        pkg____init_DOT_py="",
        pkg__a_DOT_py="from .b import f\nfrom . import c\n",
        pkg__b_DOT_py="def f():\n    raise NotImplementedError\n",
        pkg__c_DOT_py="def g():\n    return 1\n",
    ).commit()
    facts = repository.ask("stubs", entry_points=["pkg/a.py"])
    assert facts["not_implemented"] == ["pkg/b.py:1 f"]
    assert facts["files"] >= 3


def test_what_only_declares_is_no_stub(repository: Repository) -> None:
    text = (
        "from typing import Protocol, overload\nfrom abc import abstractmethod\n"
        "class P(Protocol):\n    def a(self) -> None:\n        ...\n"
        "class B:\n    @abstractmethod\n    def b(self):\n        pass\n    def c(self):\n        'only words'\n"
    )
    repository.write(app_DOT_py=text).commit()
    assert repository.ask("stubs", entry_points=["app.py"])["stubs"] == ["app.py:10 c"]


@pytest.mark.parametrize("text", ["def f(:\n", "\x00", "(" * 500])
def test_a_file_that_is_no_python_is_named(repository: Repository, text: str) -> None:
    repository.write(app_DOT_py=text).commit()
    assert repository.ask("stubs", entry_points=["app.py"])["unparsed"] == ["app.py"]


def test_no_entry_point_and_no_commit_are_undecided(repository: Repository) -> None:
    repository.write(a_DOT_py="x = 1\n").commit()
    for ask in (
        {"entry_points": ["none.py"]},
        {"entry_points": []},
        {"entry_points": ["a.py"], "commit": "nonsense"},
        {"entry_points": ["a.py"], "commit": "--help"},
        {"entry_points": ["a.py"], "repository": "nowhere"},
    ):
        with pytest.raises(Undecided):
            repository.ask("stubs", **ask)


def test_what_lies_uncommitted_does_not_count(repository: Repository) -> None:
    repository.write(a_DOT_py="x = 1\n").commit().write(a_DOT_py="# FIXME critical\n")
    assert repository.ask("markers", words=["FIXME"])["critical"] == []
    repository.commit()
    assert repository.ask("markers", words=["FIXME"])["critical"] == ["a.py:1"]


def test_a_marker_needs_an_issue_and_a_word_in_a_sentence_is_none(repository: Repository) -> None:
    repository.write(a_DOT_py='# TODO later\n# TODO(#12) soon\n# TODO: GL-7 well\nx = "TODO"\n# see the TODO list\n').commit()
    assert repository.ask("markers", words=["TODO"])["without_issue"] == ["a.py:1"]


def test_a_marker_in_a_text_is_none_and_a_broken_file_is_read_by_line(repository: Repository) -> None:
    repository.write(a_DOT_py='x = "# FIXME critical"\n', b_DOT_py='x = (\n# FIXME critical\n', c_DOT_sh="# BUG critical #4\n").commit()
    facts = repository.ask("markers", words=["FIXME", "BUG"])
    assert set(facts["critical"]) == {"b.py:2", "c.sh:1"}
    assert set(facts["without_issue"]) == {"b.py:2"}


DOCUMENT = "# Emergency\n\nReviewed: {date}\n\nRun `playbooks/operate/kill_switch.yml`.\n"


def test_a_document_names_playbooks_that_exist_and_its_last_review(repository: Repository) -> None:
    repository.write(docs__e_DOT_md=DOCUMENT.format(date="2026-11-01"), playbooks__operate__kill_switch_DOT_yml="").commit()
    ask = {"path": "docs/e.md", "playbooks": ["playbooks/operate/kill_switch.yml", "playbooks/operate/go_paper.yml"]}
    facts = repository.ask("document", **ask)
    assert facts["unnamed_playbooks"] == ["playbooks/operate/go_paper.yml"]
    assert facts["missing_playbooks"] == ["playbooks/operate/go_paper.yml"]
    assert facts["reviewed_age_days"] == 20.5
    assert repository.ask("document", path="docs/none.md", playbooks=[]) == {"present": False}


@pytest.mark.parametrize("date", ["2027-01-01", "2026-13-45"])
def test_an_impossible_review_is_undecided(repository: Repository, date: str) -> None:
    repository.write(docs__e_DOT_md=DOCUMENT.format(date=date)).commit()
    with pytest.raises(Undecided):
        repository.ask("document", path="docs/e.md", playbooks=[])


HASH = "--hash=sha256:" + "a" * 64


def test_each_requirement_needs_a_version_and_a_hash(repository: Repository) -> None:
    text = f"# made\n-r other.txt\n--index-url https://x\naiohttp==3.11 \\\n    {HASH} \\\n    {HASH}\nyarl>=1 {HASH}\nattrs==25\n"
    repository.write(requirements_DOT_txt=text).commit()
    facts = repository.ask("lock", lock_file="requirements.txt")
    assert (facts["lock_present"], facts["unhashed"]) == (True, ["-r", "attrs", "yarl"])
    assert repository.ask("lock", lock_file="none.txt") == {"lock_present": False}


def test_a_uv_lock_is_read_too(repository: Repository) -> None:
    package = '[[package]]\nname = "{}"\nversion = "1"\nsource = {{ {} }}\nwheels = [\n    {{ url = "u"{} }},\n]\n'
    registry, own = 'registry = "https://pypi.org/simple"', 'editable = "."'
    text = package.format("good", registry, ', hash = "sha256:aa"') + package.format("bad", registry, "") + package.format("self", own, "")
    repository.write(uv_DOT_lock=text).commit()
    facts = repository.ask("lock", lock_file="uv.lock")
    assert (facts["distributions"], facts["unhashed"]) == (2, ["bad"])


def test_missing_paths_are_named(repository: Repository) -> None:
    repository.write(a__b_DOT_py="").commit()
    assert repository.ask("paths", paths=["a", "a/", "a/b.py", "c/"])["missing_paths"] == ["c/"]


def test_an_unknown_question_is_undecided(repository: Repository) -> None:
    repository.write(a_DOT_py="").commit()
    with pytest.raises(Undecided, match="no such question"):
        repository.ask("poetry")
