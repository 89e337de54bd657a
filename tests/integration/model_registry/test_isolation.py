"""Who can see what, tried as the users themselves on a real host: each closed door has an open one beside it."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.model_registry.conftest import CRYPTO, SWING, Host
from tests.integration.sets.conftest import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]


DENIED = ("denied", "not permitted")      # what is not there proves nothing


def open_to(host: Host, user: str, commands: list[str], before: str = "") -> list[str]:
    """Return the commands that a user could carry out, or that failed for another reason than being refused; all in one login."""
    tried = "; ".join(f"( {one} ) >/dev/null 2>/tmp/.$$.err; echo \"{number} $? $(tr '\\n' ' ' < /tmp/.$$.err)\"; rm -f /tmp/.$$.err"
                      for number, one in enumerate(commands))
    lines = host.must(f"{before} {tried}", user).strip().splitlines()
    assert len(lines) == len(commands), lines
    told = [(*line.split(" ", 2), "")[:3] for line in lines]      # what went well said nothing
    return [f"{commands[int(number)]}: exit {rc} {text}" for number, rc, text in told
            if rc == "0" or not any(word in text.lower() for word in DENIED)]


def test_the_role_does_what_its_dry_run_said_and_then_nothing(made_by_role: list[tuple[str, str]]) -> None:
    assert (f"dir:{CRYPTO}/models", "create") in made_by_role
    assert ("unit:golive-model-retention-crypto-kraken_global.timer", "start") in made_by_role


def test_the_live_user_reads_the_pointer_and_the_approved_model(registry: Host, approved: dict[str, Any]) -> None:
    text = registry.must(f"cat {CRYPTO}/models/approved_model.json", "bot")
    assert approved["second"]["candidate"] in text
    folder = approved["second"]["candidate"].removeprefix("sha256:")
    assert registry.must(f"sha256sum {CRYPTO}/models/{folder}/files/model.onnx", "bot")


INSIDE = [
    f"ls {CRYPTO}/candidates", f"ls {CRYPTO}/models", f"ls {CRYPTO}/validations", f"cat {CRYPTO}/models/approvals.jsonl", f"ls {CRYPTO}",
    f"cat {CRYPTO}/candidates/$FIRST/files/model.onnx", f"touch {CRYPTO}/models/x", f"rm -f {CRYPTO}/models/approved_model.json",
    f"echo x >> {CRYPTO}/models/approved_model.json", f"ls {CRYPTO}/incoming", f"ls {CRYPTO}/shadow",
    f"ln {CRYPTO}/models/$FIRST/files/model.onnx /var/tmp/h$$", f"cat {CRYPTO}/validations/$FIRST/*/record.json"]


def other_ways(root: str, file: str, bound: str) -> list[str]:
    """Return the ways around a closed path: symlink, hard link, bind mount, and the /proc of a process that holds it open."""
    return [f"ls {root}/", f"cat {root}/{file}", f"echo x >> {root}/{file}", f"ln -s {root} /tmp/l$$ && ls /tmp/l$$/",
            f"ln -s {root}/{file} /tmp/f$$ && cat /tmp/f$$", f"ln {root}/{file} /var/tmp/h$$", f"ls {bound}/", f"cat {bound}/{file}",
            f"cat /proc/1/root{root}/{file}", "ls /proc/$HOLDER/fd/", "cat /proc/$HOLDER/fd/3", f"cat /proc/$HOLDER/root{root}/{file}"]


@contextmanager
def held(host: Host, owner: str, root: str, file: str) -> Iterator[str]:
    """Bind-mount a root to another place and have its owner hold a file in it open; gives the owner's process id."""
    bound = f"/srv/bound-{owner}"
    host.must(f"mkdir -p {bound} && (mountpoint -q {bound} || mount --bind {root} {bound})")
    hold = f"exec 3<{root}/{file}; echo $$ > /run/holder-{owner}/pid; exec sleep 600"
    host.must(f"install -d -o {owner} /run/holder-{owner}; rm -f /run/holder-{owner}/pid; "
              f"runuser -u {owner} -- sh -c '{hold}' > /dev/null 2>&1 &")
    pid = wait_for(lambda: "".join(host.shell(f"cat /run/holder-{owner}/pid").stdout.split()), "the owner's process to hold the file open")
    try:
        # The control: what is tried next is there, on each of these ways, for whoever it belongs to.
        every = f"{root}/{file} {bound}/{file} /proc/{pid}/fd/3 /proc/{pid}/root{root}/{file}"
        host.must(f"cat {every} > /dev/null && ls /proc/{pid}/fd/", owner)
        yield pid
    finally:
        host.shell(f"kill {pid}; umount {bound}; rm -f /tmp/l* /tmp/f* /var/tmp/h*; true")


def test_the_live_user_reaches_nothing_but_what_is_approved(registry: Host, approved: dict[str, Any]) -> None:
    """By path, symlink, hard link, bind mount, and /proc of the owner's own process."""
    folder = approved["first"]["candidate"].removeprefix("sha256:")
    file = f"{folder}/files/model.onnx"
    with held(registry, "model-registry", f"{CRYPTO}/candidates", file) as holder:
        names = f"FIRST={folder}; HOLDER={holder};"
        assert open_to(registry, "bot", [*INSIDE, *other_ways(f"{CRYPTO}/candidates", file, "/srv/bound-model-registry")], names) == []


@pytest.mark.parametrize(("user", "owner", "root", "reader"), [
    ("bot", "swing-registry", SWING, "swing"), ("swing", "model-registry", CRYPTO, "bot")], ids=["bot-to-swing", "swing-to-bot"])
def test_neither_system_reaches_the_artifacts_of_the_other(registry: Host, approved: dict[str, Any], user: str, owner: str, root: str,
                                                          reader: str) -> None:
    """Both ways, by path, symlink, hard link, bind mount and /proc; whoever may read it does, at the same moment."""
    file = "models/approved_model.json"
    if owner == "swing-registry":
        registry.must(f"echo '{{}}' > {root}/{file} && chown {owner}:swing-readers {root}/{file} && chmod 0440 {root}/{file}")
    with held(registry, owner, root, file) as holder:
        registry.must(f"cat {root}/{file} > /dev/null", reader)
        tried = [*other_ways(root, file, f"/srv/bound-{owner}"), f"ls {root}/candidates", f"ls {root}/models", f"touch {root}/models/x"]
        assert open_to(registry, user, tried, f"HOLDER={holder};") == []


def test_a_trainer_hands_in_and_sees_nothing_more(registry: Host, approved: dict[str, Any]) -> None:
    registry.must(f"mkdir -p {CRYPTO}/incoming/mine && echo x > {CRYPTO}/incoming/mine/f", "trainer")
    registry.must(f"cat {CRYPTO}/incoming/mine/f", "model-registry")
    assert open_to(registry, "trainer", [f"ls {CRYPTO}/candidates", f"cat {CRYPTO}/models/approved_model.json",
                                         f"touch {CRYPTO}/candidates/x"]) == []
    registry.must(f"rm -r {CRYPTO}/incoming/mine", "trainer")


def test_the_looking_sees_an_open_door(registry: Host, approved: dict[str, Any]) -> None:
    """Break it once: what these tests call closed must show when it is not."""
    registry.must(f"chmod 0755 {CRYPTO}/validations")
    try:
        assert open_to(registry, "bot", [f"ls {CRYPTO}/validations"]) != []
    finally:
        registry.must(f"chmod 0700 {CRYPTO}/validations")
