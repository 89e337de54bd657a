"""A set of files: what is predicted is done, what was cut off is finished, nothing is half written, no secret is shown."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golive.canonical import file_digest
from golive.errors import GoliveError
from golive.sets import acl, atomic, release_tree
from golive.sets.core import Change, Decision, carry_out, sentence
from golive.sets.managed_files import ManagedFiles
from golive.sets.system import System
from hypothesis import given
from hypothesis import strategies as st

ME = {"owner": "me", "group": "me"}


def entry(path: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    content = None if text is None else base64.b64encode(text.encode()).decode()
    return {"path": path, **ME, "content": content, **more}


def done(host: System, dry: bool = False, **wanted: Any) -> dict[str, Any]:
    return carry_out(ManagedFiles(host, wanted), dry)


def names(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["object"], change["op"]) for change in result["changes"]]


NAMES = st.sampled_from(["a", "b", "c"])
MODES = st.sampled_from(["0600", "0640", "0644", "0755"])
TEXTS = st.sampled_from(["", "one", "two"])


@st.composite
def wanted_sets(draw: st.DrawFn) -> dict[str, Any]:
    """Sets below /d: every name is a directory, a file, a link, unwanted or not mentioned."""
    wanted: dict[str, Any] = {
        "directories": [{"path": "/d", **ME, "mode": "0755", "purge": draw(st.booleans())}],
        "files": [],
        "links": [],
        "absent": [],
    }
    for name in ("a", "b", "c"):
        kind = draw(st.sampled_from(["file", "link", "absent", "none"]))
        if kind == "file":
            wanted["files"].append(entry(f"/d/{name}", draw(TEXTS), mode=draw(MODES)))
        elif kind == "link":
            wanted["links"].append({"path": f"/d/{name}", "to": draw(TEXTS) or "x", "replace": True})
        elif kind == "absent":
            wanted["absent"].append(f"/d/{name}")
    return wanted


def fresh_host() -> System:
    place = Path(tempfile.mkdtemp())
    (place / "etc").mkdir()
    (place / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    (place / "etc/group").write_text(f"me:x:{os.getgid()}:\n")
    return System(str(place))


class CutOff(ManagedFiles):
    """Dies after a number of changes, as a run that is killed does."""

    def __init__(self, host: System, wanted: dict[str, Any], after: int) -> None:
        super().__init__(host, wanted)
        self.after = after

    def act(self, decision: Decision) -> Iterator[Change]:
        for number, change in enumerate(super().act(decision)):
            if number >= self.after:
                raise GoliveError("killed")
            yield change


@given(first=wanted_sets(), second=wanted_sets(), cut=st.integers(0, 6))
def test_prediction_is_reality_and_a_cut_off_run_is_finished_by_the_next(first: dict[str, Any], second: dict[str, Any], cut: int) -> None:
    host = fresh_host()
    if "failed" in carry_out(ManagedFiles(host, first), dry=False):
        raise AssertionError("the first set must be possible on an empty host")
    predicted = carry_out(ManagedFiles(host, second), dry=True)
    if predicted.get("failed"):  # a link in the place of a wanted file: refused in both modes
        assert carry_out(ManagedFiles(host, second), dry=False)["msg"] == predicted["msg"]
        return
    carry_out(CutOff(host, second, cut), dry=False)
    halfway = carry_out(ManagedFiles(host, second), dry=True)
    real = carry_out(ManagedFiles(host, second), dry=False)
    assert real["changes"] == halfway["changes"]
    assert set(names(real)) <= set(names(predicted))
    assert carry_out(ManagedFiles(host, second), dry=False)["changes"] == []


def test_a_dry_run_writes_nothing(host: System) -> None:
    result = done(host, dry=True, directories=[{"path": "/d", **ME}], files=[entry("/d/f", "x")])
    assert names(result) == [("dir:/d", "create"), ("file:/d/f", "create")]
    assert sorted(os.listdir(host.root)) == ["etc"]


def test_an_owner_who_does_not_exist_yet_is_a_prediction_and_then_an_error(host: System) -> None:
    wanted = {"files": [entry("/f", "x", owner="bot", group="bot")]}
    assert names(done(host, dry=True, **wanted)) == [("file:/f", "create")]
    result = done(host, **wanted)
    assert result["msg"] == "/f: the owner does not exist, found bot; create the user with accounts before"


def test_a_change_of_mode_alone_keeps_the_content_and_says_so(host: System) -> None:
    done(host, files=[entry("/f", "x", mode="0600")])
    change = done(host, files=[entry("/f", "x", mode="0640")])["changes"][0]
    assert change["before"].split()[2] == change["after"].split()[2]
    assert os.stat(host.path("/f")).st_mode & 0o777 == 0o640


def test_no_result_holds_a_secret_or_its_digest(host: System) -> None:
    wanted = {"files": [entry("/f", "canary-1234", mode="0600", secret=True)]}
    texts = [json.dumps(done(host, **wanted))]
    Path(host.path("/f")).write_text("other-5678")
    texts.append(json.dumps(done(host, **wanted)))
    assert all("canary" not in text and "other-" not in text and "sha256" not in text for text in texts)
    assert "other secret" in texts[1]


def test_a_refused_content_is_an_error_in_the_programs_words_in_a_dry_run_too(host: System) -> None:
    os.makedirs(host.path("/bin"))
    os.symlink("/bin/sh", host.path("/bin/sh"))
    wanted = {"files": [entry("/f", "x", validate=["/bin/sh", "-c", "echo bad line in %s >&2; exit 1"])]}
    for dry in (True, False):
        assert "/bin/sh refuses the new content, found bad line in the new content" in done(host, dry=dry, **wanted)["msg"]
    assert not os.path.exists(host.path("/f"))


def test_a_validator_that_is_not_installed_yet_says_nothing(host: System) -> None:
    assert names(done(host, dry=True, files=[entry("/f", "x", validate=["/usr/sbin/nothing", "%s"])])) == [("file:/f", "create")]


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(host: System, monkeypatch: pytest.MonkeyPatch) -> None:
    done(host, files=[entry("/f", "old")])

    def full(_: int) -> None:
        raise OSError(28, "No space left on device", "/f")

    monkeypatch.setattr("golive.sets.atomic.os.fsync", full)
    result = done(host, files=[entry("/f", "new")])
    assert result["msg"].startswith("/f: the operating system refused, found No space left on device; free space there and run again")
    assert Path(host.path("/f")).read_text() == "old"
    assert sorted(os.listdir(host.root)) == ["etc", "f"]


def test_purge_deletes_the_unknown_and_keeps_what_the_set_names_below(host: System) -> None:
    os.makedirs(host.path("/d/sub"))
    for name in ("known", "stray", "kept", "sub/f"):
        Path(host.path("/d/" + name)).write_text("x")
    result = done(
        host, directories=[{"path": "/d", **ME, "purge": True, "keep": ["/d/kept"]}], files=[entry("/d/known", "x"), entry("/d/sub/f", "x")]
    )
    assert names(result) == [("file:/d/stray", "delete")]


def test_a_directory_in_the_place_of_a_file_is_left_alone(host: System) -> None:
    os.mkdir(host.path("/f"))
    assert "is a dir, expected a file" in done(host, files=[entry("/f", "x")])["msg"]


def test_a_path_that_is_wanted_twice_is_refused(host: System) -> None:
    assert done(host, dry=True, files=[entry("/f", "x"), entry("/f", "y")])["msg"] == "/f is wanted more than once; keep one entry"


def test_an_unresolved_secret_is_predicted_only_where_the_file_is_missing(host: System) -> None:
    wanted = {"files": [entry("/f", None, secret=True, unresolved="the store is sealed")]}
    assert names(done(host, dry=True, **wanted)) == [("file:/f", "create")]
    Path(host.path("/f")).write_text("x")
    assert "cannot be told: the store is sealed" in done(host, dry=True, **wanted)["msg"]


def test_an_access_control_list_is_set_compared_and_taken_away(host: System) -> None:
    path = host.path("/d")
    wanted = {"path": "/d", **ME, "mode": "0750", "acl": [{"user": "me", "permissions": "rwx"}]}
    done(host, directories=[wanted])
    if not acl.read(path, acl.ACCESS):
        pytest.skip("this file system keeps no access control lists")
    assert done(host, directories=[wanted])["changes"] == []
    assert names(done(host, directories=[dict(wanted, acl=[])])) == [("dir:/d", "update")]
    assert os.stat(path).st_mode & 0o777 == 0o750


def archive(place: Path, members: dict[str, str | tuple[str, str]]) -> tuple[str, str]:
    """Write a tar.gz of `name: text` or `name: (kind, target)`; return its path and sha256."""
    path = place / "release.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, value in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(value, tuple):
                member.type, member.linkname = (tarfile.SYMTYPE if value[0] == "link" else tarfile.CHRTYPE), value[1]
                tar.addfile(member)
            else:
                member.size, member.mode = len(value), 0o755 if name.startswith("bin/") else 0o644
                tar.addfile(member, io.BytesIO(value.encode()))
    return str(path), file_digest(str(path))[7:]


def release(host: System, path: str, sha256: str, uploads: dict[str, str] | None = None) -> dict[str, Any]:
    wanted = {"directories": [{"path": "/r", **ME}], "releases": [{"path": "/r", "sha256": sha256, "tree": release_tree.of_archive(path)}]}
    return carry_out(ManagedFiles(host, wanted, uploads), dry=False)


def test_a_release_is_asked_for_once_unpacked_and_recognised(host: System, tmp_path: Path) -> None:
    path, sha256 = archive(tmp_path, {"app/main.py": "print()", "bin/bot": "#!", "cur": ("link", "app")})
    os.mkdir(host.path("/r"))
    assert release(host, path, sha256)["needs"] == [sha256]
    assert names(release(host, path, sha256, {sha256: path}))[-1] == (f"release:/r/{sha256}", "create")
    assert release(host, path, sha256)["changes"] == []


def test_an_altered_release_is_replaced_and_left_overs_of_a_killed_run_go(host: System, tmp_path: Path) -> None:
    path, sha256 = archive(tmp_path, {"app/main.py": "print()"})
    release(host, path, sha256, {sha256: path})
    Path(host.path(f"/r/{sha256}/app/main.py")).write_text("steal()")
    os.makedirs(host.path("/r/.unpacking-x/app"))
    assert names(release(host, path, sha256, {sha256: path})) == [(f"release:/r/{sha256}", "update")]
    assert os.listdir(host.path("/r")) == [sha256]


def test_an_archive_that_is_not_the_wanted_one_is_refused(host: System, tmp_path: Path) -> None:
    path, sha256 = archive(tmp_path, {"a": "x"})
    os.mkdir(host.path("/r"))
    Path(path).write_bytes(Path(path).read_bytes() + b"x")
    wanted = {"releases": [{"path": "/r", "sha256": sha256, "tree": "sha256:0"}]}
    assert "the delivered archive is not the wanted one" in carry_out(ManagedFiles(host, wanted, {sha256: path}), dry=False)["msg"]
    assert os.listdir(host.path("/r")) == []


@pytest.mark.parametrize(
    "members",
    [
        {"/etc/x": "x"},
        {"../x": "x"},
        {"a": ("link", "/etc")},
        {"a": ("link", "../..")},
        {"dev": ("char", "")},
        {"d/l": ("link", ".."), "d/l/x": "x"},
    ],
)
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, members: dict[str, Any]) -> None:
    path, _ = archive(tmp_path, members)
    with pytest.raises(GoliveError, match="not a plain file, directory or inner link"):
        release_tree.of_archive(path)


def test_a_full_disk_is_named_with_the_file_and_leaves_the_old_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        atomic.write_file(str(path), b"new")
    assert sentence(caught.value).startswith(f"{path}: the operating system refused, found No space left on device; free space")
    assert (path.read_text(), [one.name for one in tmp_path.iterdir()]) == ("old", ["settings"])
