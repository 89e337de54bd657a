"""What a rehearsal's operator states about the controller is what was found there; what cannot be found is not stated."""

from __future__ import annotations

import json

import pytest
from golive import attestation
from golive.rehearsal import people

PASSWD = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:d:/usr/sbin:/usr/sbin/nologin\n"
CRYPT = json.dumps({"blockdevices": [{"name": "root", "type": "crypt", "children": [{"name": "sda2", "type": "part"}]}]})
PLAIN = json.dumps({"blockdevices": [{"name": "sda2", "type": "part", "children": [{"name": "sda", "type": "disk"}]}]})

SECURITY = "deb.debian.org_debian-security_dists_trixie-security_main_binary-amd64_Packages.lz4"


@pytest.fixture
def state(tmp_path):
    def ask(answers, passwd=PASSWD, lists=()):
        (tmp_path / "passwd").write_text(passwd)
        (tmp_path / "lists").mkdir()
        for name in lists:
            (tmp_path / "lists" / name).write_text("")
        found = people.controller(tmp_path, lambda argv: answers.get(argv[0]), tmp_path / "passwd", tmp_path / "lists")
        for one in found:
            attestation.check_values(one["statement"], one["values"], "test")
        return {one["statement"]: one["values"] for one in found}

    return ask


@pytest.mark.parametrize(("layers", "encrypted"), [(CRYPT, True), (PLAIN, False)])
def test_encryption_is_stated_as_the_kernels_layers_show_it(state, layers, encrypted):
    assert state({"findmnt": "/dev/mapper/root[/sub]\n", "lsblk": layers})["controller.disk_encrypted"]["encrypted"] is encrypted


@pytest.mark.parametrize("source", ["overlay\n", "", None, "server:/export\n"])
def test_a_file_system_that_cannot_be_followed_is_not_stated(state, source):
    assert "controller.disk_encrypted" not in state({"findmnt": source, "lsblk": CRYPT})


@pytest.mark.parametrize(("more", "known", "count"), [("", True, 1), ("eve:x:1001:1001::/home/eve:/bin/sh\n", False, 2)])
def test_an_account_that_nobody_named_is_stated_as_unknown(state, more, known, count):
    assert state({}, PASSWD + more)["controller.logins_known"] == {"people_with_login": count, "all_known": known}


def test_pending_security_updates_are_counted(state):
    told = ("Listing...\nopenssl/stable-security 2 amd64 [upgradable from: 1]\nsecurity-tool/stable 2 amd64 [upgradable from: 1]\n"
            "curl/noble-updates,noble-security 2 amd64 [upgradable from: 1]\n")
    assert state({"apt": told}, lists=[SECURITY])["controller.updated"] == {"pending_security_updates": 2}


@pytest.mark.parametrize(("answers", "lists"), [
    ({"apt": ""}, []), ({"apt": ""}, ["deb.debian.org_debian_dists_trixie_main_binary-amd64_Packages"]),
    ({"apt": ""}, ["deb.debian.org_debian-security_dists_trixie-security_InRelease"]), ({}, [SECURITY])])
def test_without_a_list_of_security_updates_nothing_is_stated_about_them(state, answers, lists):
    assert "controller.updated" not in state(answers, lists=lists)
