"""Who can see what, tried as the users themselves on a real host: each closed door has an open one beside it."""
from __future__ import annotations

from typing import Any

import pytest

from tests.integration.model_registry.conftest import CRYPTO, REGISTRY, SWING, Host
from tests.integration.sets.conftest import wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]


DENIED = ("denied", "not permitted", "no such file")


def open_to(host: Host, user: str, commands: list[str], before: str = "") -> list[str]:
    """Return the commands that a user could carry out, or that failed for another reason than being refused; all in one login."""
    tried = "; ".join(f"( {one} ) >/dev/null 2>/tmp/.$$.err; echo \"{number} $? $(tr '\\n' ' ' < /tmp/.$$.err)\"; rm -f /tmp/.$$.err"
                      for number, one in enumerate(commands))
    lines = host.must(f"{before} {tried}", user).strip().splitlines()
    assert len(lines) == len(commands), lines
    told = [(*line.split(" ", 2), "")[:3] for line in lines]      # what went well said nothing
    return [f"{commands[int(number)]}: exit {rc} {text}" for number, rc, text in told
            if rc == "0" or not any(word in text.lower() for word in DENIED)]


def test_the_role_does_what_its_dry_run_said_and_then_nothing(host: Host) -> None:
    objects = host.four(REGISTRY)
    assert (f"dir:{CRYPTO}/models", "create") in objects
    assert ("unit:golive-model-retention-crypto-kraken_global.timer", "start") in objects


def test_the_live_user_reads_the_pointer_and_the_approved_model(registry: Host, approved: dict[str, Any]) -> None:
    text = registry.must(f"cat {CRYPTO}/models/approved_model.json", "bot")
    assert approved["second"]["candidate"] in text
    folder = approved["second"]["candidate"].removeprefix("sha256:")
    assert registry.must(f"sha256sum {CRYPTO}/models/{folder}/files/model.onnx", "bot")


INSIDE = [
    f"ls {CRYPTO}/candidates", f"ls {CRYPTO}/models", f"ls {CRYPTO}/validations", f"cat {CRYPTO}/models/approvals.jsonl", f"ls {CRYPTO}",
    f"cat {CRYPTO}/candidates/$FIRST/files/model.onnx", f"touch {CRYPTO}/models/x", f"rm -f {CRYPTO}/models/approved_model.json",
    f"echo x >> {CRYPTO}/models/approved_model.json", f"ls {CRYPTO}/incoming", f"ls {SWING}", f"cat {SWING}/models/approved_model.json",
    f"ln -s {CRYPTO}/candidates /tmp/l$$ && ls /tmp/l$$/", f"ln {CRYPTO}/candidates/$FIRST/files/model.onnx /var/tmp/h$$",
    f"ln {CRYPTO}/models/$FIRST/files/model.onnx /var/tmp/h$$", f"ln -s {SWING}/models /tmp/s$$ && ls /tmp/s$$/",
    f"cat /proc/1/root{CRYPTO}/models/approvals.jsonl", "ls /proc/$HOLDER/fd/", f"cat /proc/$HOLDER/root{CRYPTO}/models/approvals.jsonl",
    "ls /srv/bound/", "cat /srv/bound/$FIRST/files/model.onnx"]


def test_the_live_user_reaches_nothing_else(registry: Host, approved: dict[str, Any]) -> None:
    """By path, symlink, hard link, /proc of the owner's own process, and through a bind mount that root made."""
    registry.must(f"mkdir -p /srv/bound && (mountpoint -q /srv/bound || mount --bind {CRYPTO}/candidates /srv/bound)")
    folder = approved["first"]["candidate"].removeprefix("sha256:")
    hold = f"exec 3<{CRYPTO}/models/approvals.jsonl; echo $$ > /run/holder/pid; exec sleep 600"
    registry.must("install -d -o model-registry /run/holder; rm -f /run/holder/pid; "
                  f"runuser -u model-registry -- sh -c '{hold}' > /dev/null 2>&1 &")
    holder = wait_for(lambda: "".join(registry.shell("cat /run/holder/pid").stdout.split()), "the owner's process to hold the log open")
    names = f"FIRST={folder}; HOLDER={holder};"
    try:
        assert open_to(registry, "bot", INSIDE, names) == []
        # The control: what was tried is there, and whoever may ask gets answers.
        registry.must(f"{names} cat {CRYPTO}/candidates/$FIRST/files/model.onnx /srv/bound/$FIRST/files/model.onnx > /dev/null")
        # As the owner: /proc lets a process look into those of its own user, and root into all where it may trace.
        registry.must(f"{names} ls /proc/$HOLDER/fd/ && cat /proc/$HOLDER/root{CRYPTO}/models/approvals.jsonl > /dev/null",
                      "model-registry")
    finally:
        registry.shell(f"kill {holder}; umount /srv/bound; true")


def test_the_swing_system_reaches_nothing_of_the_bots(registry: Host, approved: dict[str, Any]) -> None:
    assert open_to(registry, "swing", [
        f"ls {CRYPTO}", f"cat {CRYPTO}/models/approved_model.json", f"ls {CRYPTO}/candidates", f"touch {CRYPTO}/models/x",
        f"ln -s {CRYPTO}/models /tmp/w$$ && cat /tmp/w$$/approved_model.json"]) == []
    registry.must(f"test -x {SWING}/models", "swing")
    registry.must(f"cat {CRYPTO}/models/approved_model.json > /dev/null", "bot")


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
