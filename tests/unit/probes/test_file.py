"""What the kernel says of files: mode, size, rotation, and whether the writer follows."""

from __future__ import annotations

import os
import tempfile

import pytest
from golive.errors import Undecided
from golive.probes import file as probe
from golive.probes.file import FACTS, observe
from golive.probes.look import Completed

from .fake_look import NOW, FakeLook

NOBODY = 65534


@pytest.fixture
def logs(tmp_path):
    for name, size in (("wire.log", 10), ("wire.log.1", 300), ("other.txt", 5)):
        path = tmp_path / name
        path.write_bytes(b"x" * size)
        path.chmod(0o640)
        os.utime(path, (NOW.timestamp() - 60, NOW.timestamp() - 60))
    return tmp_path


def test_the_largest_of_a_glob_counts(logs):
    facts = observe({"glob": f"{logs}/*.log*"}, FakeLook()).facts
    assert (facts["count"], facts["max_size"], facts["total_size"]) == (2, 300, 310)
    assert facts["modes"] == ["0640"]
    assert facts["newest_age_s"] == 60
    assert "mode" not in facts
    assert set(facts) <= set(FACTS)


def test_a_single_file_is_described(logs):
    facts = observe({"path": f"{logs}/other.txt", "digest": True}, FakeLook()).facts
    assert (facts["exists"], facts["mode"], facts["size"]) == (True, "0640", 5)
    assert facts["sha256"].startswith("sha256:")


def test_a_missing_file_is_missing_and_not_an_error(logs):
    facts = observe({"paths": [f"{logs}/other.txt", f"{logs}/gone"]}, FakeLook()).facts
    assert facts["exists"] is False
    assert facts["missing"] == [f"{logs}/gone"]


def test_an_empty_glob_counts_none_and_says_whether_the_folder_is_there(logs):
    assert observe({"glob": f"{logs}/key*"}, FakeLook()).facts["count"] == 0
    assert observe({"glob": f"{logs}/key*"}, FakeLook()).facts["directory_exists"] is True
    assert observe({"glob": f"{logs}/no/key*"}, FakeLook()).facts["directory_exists"] is False


def test_a_link_is_not_followed(logs):
    (logs / "wire.log.2").symlink_to("/etc/shadow")
    facts = observe({"glob": f"{logs}/*.log*"}, FakeLook()).facts
    assert facts["count"] == 2
    assert facts["not_regular"] == [f"{logs}/wire.log.2"]


def test_lines_that_match_are_counted(logs):
    (logs / "wire.log").write_text("a\nERROR one\nERROR two\n")
    assert observe({"path": f"{logs}/wire.log", "content_matches": "^ERROR"}, FakeLook()).facts["matches"] == 2


def test_rotated_generations_are_counted(logs):
    assert observe({"glob": f"{logs}/*.log*", "generations_of": f"{logs}/wire.log"}, FakeLook()).facts["rotated_generations"] == 1


def test_the_writer_holds_the_file_that_lies_there_now(logs, monkeypatch):
    monkeypatch.setattr(probe, "_pids", lambda _group: [str(os.getpid())])
    look = FakeLook(commands={"systemctl show": Completed(0, "/system.slice/bot-wire.service\n", "")})
    question = {"glob": f"{logs}/*.log", "writer_unit": "bot-wire.service", "current": f"{logs}/wire.log"}
    with (logs / "wire.log").open("ab"):
        assert observe(question, look).facts["writer_follows"] is True
        (logs / "wire.log").rename(logs / "wire.log.2")
        (logs / "wire.log").write_bytes(b"")
        assert observe(question, look).facts["writer_follows"] is False


def test_a_writer_that_does_not_run_proves_nothing_about_following(logs, monkeypatch):
    monkeypatch.setattr(probe, "_pids", lambda _group: [])
    look = FakeLook(commands={"systemctl show": Completed(0, "\n", "")})
    facts = observe({"glob": f"{logs}/*", "writer_unit": "bot.service", "current": f"{logs}/wire.log"}, look).facts
    assert facts["writer_running"] is False
    assert "writer_follows" not in facts


@pytest.mark.parametrize(
    "ask",
    [
        {},
        {"path": "relative"},
        {"glob": "*.log"},
        {"path": "/x\0y"},
        {"path": "/etc/hostname", "content_matches": "("},
        {"path": "/etc/hostname", "writer_unit": "a;b"},
    ],
)
def test_a_question_that_means_nothing_is_undecided(ask):
    with pytest.raises(Undecided):
        observe(ask, FakeLook())


def asked_by_nobody(*paths):
    """Return for each file whether its digest could be had ("yes", "undecided", or the exception), asked by a process that is not root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        for path in paths:
            try:
                said.append("yes" if "sha256" in observe({"path": str(path), "digest": True}, FakeLook()).facts else "no digest")
            except Undecided:
                said.append("undecided")
            except BaseException as exc:  # noqa: BLE001 (the child must end here, whatever happens)
                said.append(type(exc).__name__)
        os.write(writer, " ".join(said).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as told:
        return told.read().split()


def test_what_may_not_be_read_is_undecided():
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders let nobody else in
        os.chmod(folder, 0o755)
        for name, mode in (("open.txt", 0o644), ("shut.txt", 0)):
            path = os.path.join(folder, name)
            with open(path, "w") as handle:
                handle.write("x")
            os.chmod(path, mode)
        assert asked_by_nobody(f"{folder}/open.txt", f"{folder}/shut.txt") == ["yes", "undecided"]


def forbidden(_pid):
    raise PermissionError


def test_a_root_that_may_not_trace_asks_as_the_writers_own_user(logs, monkeypatch):
    monkeypatch.setattr(probe, "_pids", lambda _group: [str(os.getpid())])
    monkeypatch.setattr(probe, "_open_files", forbidden)
    about = os.stat(logs / "wire.log")
    listed = Completed(0, f"[[{about.st_dev}, {about.st_ino}]]", "")
    look = FakeLook(commands={"systemctl show": Completed(0, "/x\n", ""), "-ISc": listed})
    question = {"glob": f"{logs}/*.log", "writer_unit": "bot.service", "current": f"{logs}/wire.log"}
    assert observe(question, look).facts["writer_follows"] is True
    assert look.ran[-1][1] is not None


def test_where_nobody_may_look_nothing_is_said(logs, monkeypatch):
    monkeypatch.setattr(probe, "_pids", lambda _group: [str(os.getpid())])
    monkeypatch.setattr(probe, "_open_files", forbidden)
    look = FakeLook(commands={"systemctl show": Completed(0, "/x\n", ""), "-ISc": Completed(1, "", "PermissionError")})
    with pytest.raises(Undecided, match="may not be seen"):
        observe({"glob": f"{logs}/*.log", "writer_unit": "bot.service", "current": f"{logs}/wire.log"}, look)
