"""Accounts: every user, group, membership and key set is an object; what is predicted is done."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from golive.sets.accounts import Accounts
from golive.sets.core import carry_out
from golive.sets.system import Completed, System
from hypothesis import given
from hypothesis import strategies as st


class Tables(System):
    """A host whose passwd tools edit the tables of a directory."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        os.makedirs(self.path("/etc"), exist_ok=True)
        for name, text in (
            ("passwd", f"root:x:0:0::/root:/bin/sh\nme:x:{os.getuid()}:{os.getgid()}::/home/me:/bin/sh\n"),
            ("group", f"root:x:0:\nme:x:{os.getgid()}:\nadm:x:4:me\n"),
            ("shadow", "root:*:1::::::\nme:$y$abc:1::::::\n"),
        ):
            if self.read("/etc/" + name) is None:
                Path(self.path("/etc/" + name)).write_text(text)

    def run(self, argv: Sequence[str], *_: object, **__: object) -> Completed:
        tool, name = argv[0], argv[-1]
        options = dict(itertools.pairwise(argv))
        users, groups = self._rows("passwd"), self._rows("group")
        shadow = self._rows("shadow")
        if tool == "groupadd":
            groups[name] = ["x", options.get("--gid", str(100 + len(groups))), ""]
        elif tool == "groupmod":
            groups[name][1] = options["--gid"]
        elif tool == "groupdel":
            del groups[name]
        elif tool == "useradd":
            group = options.get("--gid", name)
            if group not in groups:
                if "--user-group" not in argv:
                    return Completed(6, "", f"useradd: group '{group}' does not exist")
                groups[name] = ["x", str(100 + len(groups)), ""]
            users[name] = [
                "x",
                options.get("--uid", str(200 + len(users))),
                groups[group][1],
                options.get("--comment", ""),
                options.get("--home-dir", f"/home/{name}"),
                options.get("--shell", "/bin/sh"),
            ]
            shadow[name] = [options["--password"], "1", "", "", "", "", "", ""]
        elif tool == "usermod":
            for option, place in (("--uid", 1), ("--comment", 3), ("--home", 4), ("--shell", 5)):
                users[name][place] = options.get(option, users[name][place])
            if "--gid" in options:
                users[name][2] = groups[options["--gid"]][1]
            if "--lock" in argv and not shadow[name][0].startswith("!"):
                shadow[name][0] = "!" + shadow[name][0]
        elif tool == "userdel":
            del users[name], shadow[name]
            for row in groups.values():
                row[2] = ",".join(user for user in row[2].split(",") if user not in ("", name))
            groups.pop(name, None)
        elif tool == "gpasswd":
            members = [user for user in groups[name][2].split(",") if user]
            members = [*members, argv[2]] if argv[1] == "--add" else [user for user in members if user != argv[2]]
            groups[name][2] = ",".join(members)
        for table, rows in (("passwd", users), ("group", groups), ("shadow", shadow)):
            Path(self.path("/etc/" + table)).write_text("".join(":".join([key, *row]) + "\n" for key, row in rows.items()))
        return Completed(0, "", "")

    def _rows(self, table: str) -> dict[str, list[str]]:
        return {line.split(":")[0]: line.split(":")[1:] for line in (self.read("/etc/" + table) or "").splitlines()}


def done(
    host: System, dry: bool = False, groups: Sequence[Any] = (), users: Sequence[Any] = (), members: Sequence[Any] = ()
) -> dict[str, Any]:
    return carry_out(Accounts(host, groups, users, members), dry)


def names(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["object"], change["op"]) for change in result["changes"]]


STATE = st.sampled_from(["present", "absent"])


@st.composite
def wanted_sets(draw: st.DrawFn) -> dict[str, Any]:
    groups = [
        {"name": name, "state": draw(STATE), "gid": draw(st.sampled_from([None, 500 + number]))}
        for number, name in enumerate(("bot", "ops"))
        if draw(st.booleans())
    ]
    users = (
        [
            {
                "name": "guard",
                "state": draw(STATE),
                "shell": draw(st.sampled_from([None, "/bin/sh", "/bin/false"])),
                "append": draw(st.booleans()),
                "groups": draw(st.sampled_from([None, [], ["adm"]])),
            }
        ]
        if draw(st.booleans())
        else []
    )
    return {"groups": groups, "users": users}


@given(first=wanted_sets(), second=wanted_sets())
def test_the_dry_run_names_what_the_real_run_does(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, Any], second: dict[str, Any]
) -> None:
    host = Tables(str(tmp_path_factory.mktemp("host")))
    done(host, **first)
    predicted = done(host, dry=True, **second)
    real = done(host, **second)
    assert real["changes"] == predicted["changes"]
    assert "failed" not in real or predicted.get("msg") == real["msg"]
    if "failed" not in real:
        assert done(host, **second)["changes"] == []


def test_a_new_user_has_no_home_and_no_password(tmp_path: Path) -> None:
    host = Tables(str(tmp_path))
    result = done(host, groups=[{"name": "bot"}], users=[{"name": "bot", "group": "bot", "groups": ["adm"]}])
    assert names(result) == [("group:bot", "create"), ("user:bot", "create"), ("member:adm/bot", "create")]
    assert "bot:*:" in (host.read("/etc/shadow") or "")


def test_a_usable_password_is_locked(tmp_path: Path) -> None:
    host = Tables(str(tmp_path))
    assert done(host, users=[{"name": "me"}])["changes"][0]["before"] == "password usable"
    assert "me:!$y$abc:" in (host.read("/etc/shadow") or "")


def test_the_order_and_comments_of_authorized_keys_mean_nothing_and_the_rest_is_exact(tmp_path: Path) -> None:
    host = Tables(str(tmp_path))
    os.makedirs(host.path("/home/me/.ssh"))
    keys = Path(host.path("/home/me/.ssh/authorized_keys"))
    keys.write_text("# mine\nssh-ed25519 BBB b\nssh-ed25519   AAA a\n")
    wanted = [{"name": "me", "password_locked": False, "authorized_keys": ["ssh-ed25519 AAA a", "ssh-ed25519 BBB b"]}]
    assert done(host, users=wanted)["changes"] == []
    keys.write_text(keys.read_text() + "ssh-ed25519 EVIL e\n")
    assert names(done(host, users=wanted)) == [("keys:me", "update")]
    assert "EVIL" not in keys.read_text()


def test_keys_are_never_written_through_a_link(tmp_path: Path) -> None:
    host = Tables(str(tmp_path))
    os.makedirs(host.path("/home/me"))
    os.symlink("/etc", host.path("/home/me/.ssh"))
    assert "is a link" in done(host, users=[{"name": "me", "password_locked": False, "authorized_keys": ["ssh-ed25519 AAA a"]}])["msg"]


def test_the_tools_own_words_are_shown(tmp_path: Path) -> None:
    assert "useradd: group 'ghost' does not exist" in done(Tables(str(tmp_path)), users=[{"name": "x", "group": "ghost"}])["msg"]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"users": [{"name": "root", "state": "absent"}]}, "root cannot be absent"),
        ({"users": [{"name": "x"}, {"name": "x"}]}, "user x is listed twice"),
        ({"users": [{"name": "x", "state": "absent"}], "members": [{"group": "adm", "user": "x"}]}, "absent at once"),
        ({"users": [{"name": "x", "authorized_keys": ["oops"]}]}, "is not one line of the form"),
    ],
)
def test_contradictions_are_one_sentence_in_both_modes(tmp_path: Path, wanted: dict[str, Any], sentence: str) -> None:
    for dry in (True, False):
        assert sentence in done(Tables(str(tmp_path)), dry=dry, **wanted)["msg"]


def test_keys_are_looked_for_in_the_home_that_the_account_will_have(tmp_path: Path) -> None:
    host = Tables(str(tmp_path))
    keys = ["ssh-ed25519 AAA a"]
    os.makedirs(host.path("/home/me/.ssh"))
    Path(host.path("/home/me/.ssh/authorized_keys")).write_text(keys[0] + "\n")
    wanted = [{"name": "me", "password_locked": False, "home": "/home/me", "authorized_keys": keys}]
    host.run(["usermod", "--home", "/tmp", "me"])
    assert names(done(host, users=wanted, dry=True)) == [("user:me", "update")]
    assert names(done(host, users=wanted)) == [("user:me", "update")]


def test_keys_that_outlived_their_account_are_not_predicted_as_new(tmp_path: Path) -> None:
    host = Tables(str(tmp_path))
    os.makedirs(host.path("/var/lib/it/.ssh"))
    Path(host.path("/var/lib/it/.ssh/authorized_keys")).write_text("ssh-ed25519 AAA a\n")
    wanted = [{"name": "it", "home": "/var/lib/it", "authorized_keys": ["ssh-ed25519 AAA a"]}]
    assert names(done(host, users=wanted, dry=True)) == [("user:it", "create")]
