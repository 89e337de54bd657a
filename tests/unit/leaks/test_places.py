"""A planted secret is found wherever a run could leave it; what could not be read is said; the report repeats nothing."""
from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from golive.leaks.canaries import canaries
from golive.leaks.index import Index
from golive.leaks.places import Search

CANARY = canaries(11)["base64"]
CLEAN = b"nothing to see " * 4000


@pytest.fixture
def search() -> Search:
    return Search(Index.build({"canary": CANARY}))


def tar(name: str, data: bytes, mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as opened:  # type: ignore[call-overload]
        info = tarfile.TarInfo(name)
        info.size = len(data)
        opened.addfile(info, io.BytesIO(data))
    return packed.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, data)
    return packed.getvalue()


PLANTED = CLEAN + b"key=" + CANARY.encode() + CLEAN
CONTAINERS = {
    "plain.log": PLANTED, "a.gz": gzip.compress(PLANTED), "a.bz2": bz2.compress(PLANTED), "a.xz": lzma.compress(PLANTED),
    "a.tar": tar("etc/x.conf", PLANTED), "a.tar.gz": tar("etc/x.conf", PLANTED, "w:gz"), "a.zip": zipped("x", PLANTED),
    "layers.tar": tar("blobs/sha256/1", tar("root/.env", gzip.compress(PLANTED))), "wheel.tar": tar("w.whl", zipped("m.py", PLANTED)),
    "member.tar": tar(f"home/{CANARY.replace('/', '_')[:40]}", b""),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_file_or_archive_gives_its_secret_away(search: Search, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CONTAINERS[name])
    search.tree(str(tmp_path))
    assert {one.secret for one in search.found} == {"canary"} or name == "member.tar"
    assert name in search.found[0].where if name != "member.tar" else not search.unread
    assert search.unread == []
    assert CANARY not in "".join(map(str, search.found))


def test_the_same_places_without_the_secret_are_clean(search: Search, tmp_path: Path) -> None:
    for name, data in CONTAINERS.items():
        (tmp_path / name).write_bytes(data.replace(CANARY.encode(), b"-" * len(CANARY)) if name == "plain.log" else b"")
    (tmp_path / "x.tar.gz").write_bytes(tar("etc/x.conf", CLEAN, "w:gz"))
    search.tree(str(tmp_path))
    assert (search.found, search.unread) == ([], [])
    assert search.things >= len(CONTAINERS)


@pytest.mark.parametrize("at", [0, (1 << 20) - 100, (1 << 20) - 1, 1 << 20, (2 << 20) - 40])
def test_a_secret_across_the_border_of_two_reads_is_found_once_and_where_it_is(search: Search, at: int) -> None:
    search.stream(io.BytesIO(b"." * at + CANARY.encode() + b"." * (3 << 20)), "stream")
    assert [(one.at, one.whole) for one in search.found if one.form == "plain"] == [(at, True)]


def test_names_of_files_and_targets_of_links_are_searched_and_withheld(search: Search, tmp_path: Path) -> None:
    secret = CANARY.replace("/", "_")
    search = Search(Index.build({"canary": secret}))
    (tmp_path / f"dump-{secret}.txt").write_text("empty")
    (tmp_path / "link").symlink_to(f"/nowhere/{secret}")
    search.tree(str(tmp_path))
    assert {one.where.rsplit("/", 1)[1] for one in search.found} == {"(name withheld) (its name)", "link (its name)"}
    assert secret not in "".join(map(str, search.found))


def git(folder: Path, *words: str, **more: bytes) -> str:
    return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.net", "-C", str(folder), *words],
                          check=True, capture_output=True, **more).stdout.decode().strip()  # type: ignore[call-overload]


@pytest.mark.parametrize("planted", ["deleted file", "message", "unreachable", "tag", "file name"])
def test_git_keeps_what_was_deleted(search: Search, tmp_path: Path, planted: str) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "readme").write_text("fine")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", CANARY if planted == "message" else "first")
    if planted in {"deleted file", "file name"}:
        name = CANARY.replace("/", "_") if planted == "file name" else "env"
        search = Search(Index.build({"canary": CANARY.replace("/", "_") if planted == "file name" else CANARY}))
        (tmp_path / name).write_text(f"KEY={CANARY}\n" if planted == "deleted file" else "x")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", "second")
        git(tmp_path, "rm", "-q", name)
        git(tmp_path, "commit", "-q", "-m", "third")
    elif planted == "unreachable":
        git(tmp_path, "hash-object", "-w", "--stdin", input=f"KEY={CANARY}".encode())
    elif planted == "tag":
        git(tmp_path, "tag", "-a", "v1", "-m", f"released with {CANARY}")
    git(tmp_path, "gc", "-q")
    for left in (tmp_path / ".git/logs").rglob("*"):
        if left.is_file():
            left.unlink()  # the reflog and ORIG_HEAD are files like others: here only the objects are asked
    search.git(str(tmp_path / ".git"))
    assert [one.secret for one in search.found][:1] == ["canary"]
    assert search.unread == []


def test_a_damaged_repository_is_unread_not_clean(search: Search, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "hash-object", "-w", "--stdin", input=b"some text")
    for path in (tmp_path / ".git/objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-6])
    search.tree(str(tmp_path))
    assert search.unread


def test_arguments_and_environment_of_a_process_are_seen(search: Search) -> None:
    script = "import sys; print('up', flush=True); sys.stdin.read()"
    for arguments, environment in (([CANARY], {}), ([], {"API_SECRET": CANARY})):
        with subprocess.Popen([sys.executable, "-c", script, *arguments], env={**os.environ, **environment}, stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            assert running.stdin is not None
            assert running.stdout.readline() == "up\n"
            search.processes()
            running.stdin.close()
        where = {one.where for one in search.found}
        assert f"process {running.pid} {'environ' if environment else 'cmdline'}" in where


def test_what_cannot_be_read_is_said(search: Search, tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(os.urandom(90_000))[:-2000])
    (tmp_path / "cut.zip").write_bytes(zipped("x", PLANTED)[:-30])
    search.tree(str(tmp_path))
    search.tree(str(tmp_path / "absent"))
    search.command(["sh", "-c", "echo text; exit 3"], "broken command")
    assert [one.rsplit("/", 1)[-1].split(" (")[0] for one in sorted(search.unread, key=lambda one: one.rsplit("/", 1)[-1])] == \
        ["absent", "broken command", "cut.gz", "cut.zip"]


def test_an_archive_that_grows_without_end_is_unread(search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("golive.leaks.places._EXPANDED", 4 << 20)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\0" * (64 << 20), 9))
    search.tree(str(tmp_path))
    assert "bomb.gz" in search.unread[0]


def cli(given: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "golive.leaks", *arguments], input=given, capture_output=True, text=True, check=False)


def test_the_command_says_where_and_by_its_exit_what(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("x\n")
    given = json.dumps({"exchange key": CANARY})
    assert cli(given, str(tmp_path)).returncode == 0
    assert cli(given, str(tmp_path), str(tmp_path / "absent")).returncode == 3
    (tmp_path / "a.log").write_text(f"x {CANARY[::-1]}\n")
    done = cli(given, str(tmp_path))
    assert done.returncode == 2
    assert "a.log: " in done.stdout
    assert "exchange key (reversed, byte 2)" in done.stdout
    assert CANARY not in done.stdout + done.stderr
    for wrong in ("", "[]", '{"x": 5}', '{"x": "abc"}'):
        done = cli(wrong, str(tmp_path))
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
