"""Processes: the kernel's and systemd's word; a process that cannot be looked into is undecided."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from golive.canonical import digest, encode
from golive.errors import Undecided
from golive.probes import _units, process
from golive.probes.look import Completed

from .fake_look import FakeLook

SHOW = """Id=bot.service
LoadState=loaded
ActiveState={state}
UnitFileState=enabled
MainPID={pid}
NRestarts={restarts}
ExecCondition={condition}
DropInPaths={drop_ins}
RootDirectory=
"""
ARGV = "/usr/bin/python3 /usr/local/lib/golive/ticket.py check"
CONDITION = "{{ path=/usr/bin/python3 ; argv[]=" + ARGV + " ; ignore_errors={ignore} ; start_time=[n/a] }}"


class World:
    """Real child processes stand for the main processes of units."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.children: list[subprocess.Popen[bytes]] = []

    def start(self, cwd: Path | None = None, **environment: str) -> int:
        child = subprocess.Popen(
            [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(600)"],
            stdout=subprocess.PIPE,
            cwd=cwd or self.path,
            env=environment,
        )
        assert child.stdout is not None
        child.stdout.readline()  # the process runs, and shows its environment
        self.children.append(child)
        return child.pid

    def observe(self, pid: int = 0, show: str = SHOW, condition: str = "", restarts: Any = 0, drop_ins: str = "", **ask: Any) -> Any:
        state = "active" if pid else "inactive"
        text = show.format(state=state, pid=pid, restarts=restarts, condition=condition, drop_ins=drop_ins)
        look = FakeLook(commands={"systemctl show": Completed(0, text, "")})
        return process.observe({"unit": "bot.service", **ask}, look)  # type: ignore[arg-type]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    for child in one.children:
        child.kill()
        child.wait()


def test_a_stopped_unit_is_not_running_and_has_no_resources(world: World) -> None:
    facts = world.observe()
    assert facts["running"] is False
    assert "rss_mb" not in facts


def test_a_running_one_has_memory_age_and_files(world: World) -> None:
    facts = world.observe(world.start(A="b"), restarts=2)
    assert (facts["running"], facts["restarts"], facts["enabled"]) == (True, 2, True)
    assert facts["startup_rss_mb"] >= facts["rss_mb"] > 1
    assert 0 <= facts["age_s"] < 600


@pytest.mark.parametrize(("ignore", "wanted"), [("no", ARGV), ("yes", "")])
def test_a_condition_whose_failure_is_ignored_is_none(world: World, ignore: str, wanted: str) -> None:
    facts = world.observe(condition=CONDITION.format(ignore=ignore), drop_ins="/etc/systemd/system/bot.service.d/x.conf")
    assert (facts["exec_condition"], len(facts["drop_ins"])) == (wanted, 1)


def test_unset_empty_and_placeholder_variables_are_told_apart(world: World) -> None:
    pid = world.start(GOOD="/etc/bot.json", EMPTY=" ", LATER="your-api-key", ALSO="changeme", TEST="test")
    facts = world.observe(pid, environment=["GOOD", "EMPTY", "LATER", "ALSO", "TEST", "NONE"])
    assert facts["environment_missing"] == ["EMPTY", "NONE"]
    assert facts["environment_placeholder"] == ["ALSO", "LATER", "TEST"]


def test_credentials_must_be_there_and_hold_something(world: World, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("{}")
    (tmp_path / "empty").write_text("\n")
    pid = world.start(CREDENTIALS_DIRECTORY=str(tmp_path))
    facts = world.observe(pid, credentials=["key", "empty", "gone", "../key"])
    assert facts["credentials_missing"] == ["../key", "empty", "gone"]


def release(root: Path, name: str, body: str = "x = 1\n") -> Path:
    folder = root / "releases" / name
    (folder / "app").mkdir(parents=True)
    (folder / "app/a.py").write_text(body)
    rows = [["app/a.py", hashlib.sha256(body.encode()).hexdigest()]]
    (folder / "release.json").write_bytes(encode({"source": digest(rows)}))
    aside = folder.with_suffix(".aside")  # what unpacking does last: a rename, which the kernel notes
    folder.rename(aside)
    aside.rename(folder)
    return folder


@pytest.mark.skipif(os.geteuid() != 0, reason="a release belongs to root")
def test_the_release_is_the_one_the_kernel_says_and_whole(world: World, tmp_path: Path) -> None:
    new, old = "a" * 64, "b" * 64
    folder = release(tmp_path, new)
    release(tmp_path, old)
    (tmp_path / "current").symlink_to(f"releases/{new}")
    running_new, running_old = world.start(folder / "app"), world.start(tmp_path / "releases" / old / "app")
    facts = world.observe(running_new, release=str(tmp_path / "releases"))
    assert (facts["release_digests"], facts["release_sha256"], facts["release_intact"]) == (["current"], [new], True)
    assert world.observe(running_old, release=str(tmp_path / "releases"))["release_digests"] == [f"sha256:{old}"]
    (folder / "app/a.py").write_text("x = 2\n")
    facts = world.observe(running_new, release=str(tmp_path / "releases"))
    assert facts["release_intact"] is False
    assert f"{new[:12]}/app/a.py" in facts["release_changed"]


def test_a_process_from_nowhere_has_no_release(world: World, tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    with pytest.raises(Undecided, match="does not run from a release"):
        world.observe(world.start(), release=str(tmp_path / "releases"))


def test_a_second_process_with_the_same_key_is_a_second_holder(world: World, tmp_path: Path) -> None:
    (tmp_path / "exchange_key").write_text("canary-key")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/exchange_key").write_text("another-key")
    ask = {"credential": "/etc/golive/arm/exchange_key.cred", "starters": ["bot.service"]}
    live = world.start(CREDENTIALS_DIRECTORY=str(tmp_path))
    world.start(CREDENTIALS_DIRECTORY=str(tmp_path / "other"))
    facts = world.observe(live, **ask)
    assert facts["holders"] == 1
    assert "canary" not in str(facts)
    world.start(CREDENTIALS_DIRECTORY=str(tmp_path))
    assert world.observe(live, **ask)["holders"] == 2


def test_another_starter_is_found_and_an_ordering_is_none(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    units = tmp_path / "units"
    (units / "bot.service.d").mkdir(parents=True)
    (units / "bot.service").write_text("ExecStart=x\n")
    (units / "bot.service.d/a.conf").write_text("# bot.service\nLoadCredentialEncrypted=k:/etc/golive/arm/exchange_key.cred\n")
    (units / "after.service").write_text("After=bot.service\n# bot.service\n")
    (units / "evil.timer").write_text("Unit=bot.service\n")
    monkeypatch.setattr(process, "_STARTER_FOLDERS", (str(units),))
    facts = world.observe(credential="/etc/golive/arm/exchange_key.cred", starters=["bot.service"])
    assert facts["other_starters"] == [str(units / "evil.timer")]


def test_trust_is_that_of_the_running_process(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "/dev/null",
            "-out",
            str(tmp_path / "ca.crt"),
            "-subj",
            "/CN=golive lab CA",
        ],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("no openssl here")
    store = tmp_path / "store.crt"
    monkeypatch.setattr(process, "_TRUST_STORES", (str(store)[1:],))
    monkeypatch.setattr(process, "_TRUST_FOLDERS", ())
    with pytest.raises(Undecided, match="no trust store"):
        world.observe(world.start(), question="trust")
    store.write_bytes((tmp_path / "ca.crt").read_bytes())
    facts = world.observe(world.start(SSL_CERT_FILE=str(tmp_path / "ca.crt"), https_proxy="http://p"), question="trust")
    assert (facts["lab_ca_trusted"], facts["ca_variables"], facts["proxy_variables"]) == (True, ["SSL_CERT_FILE"], ["https_proxy"])


def test_a_state_file_has_an_age_and_a_missing_one_is_undecided(world: World, tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    os.utime(tmp_path / "state", (0, FakeLook().now().timestamp() - 7))
    facts = world.observe(state_file=str(tmp_path / "state"))
    assert (facts["state_age_s"], facts["same_host_as_subject"]) == (7.0, True)
    with pytest.raises(Undecided, match="no state file"):
        world.observe(state_file=str(tmp_path / "gone"))


@pytest.mark.parametrize("name", ["", "--version", "-x"])
def test_a_name_that_is_none_is_undecided(name: str) -> None:
    with pytest.raises(Undecided):
        process.observe({"unit": name}, FakeLook(commands={"systemctl": Completed(0, "", "")}))  # type: ignore[arg-type]


def test_systemd_that_says_nothing_readable_is_undecided(world: World) -> None:
    for text in ("", "MainPID=abc\nNRestarts=x\n", "\x00=\x00\n"):
        with pytest.raises(Undecided):
            world.observe(show=text.replace("{", "{{").replace("}", "}}"))
    with pytest.raises(Undecided, match="did not answer"):
        process.observe({"unit": "a.service"}, FakeLook(commands={"systemctl": Completed(1, "", "no bus")}))  # type: ignore[arg-type]


def test_a_process_that_ends_meanwhile_is_undecided(world: World) -> None:
    pid = world.start()
    world.children[-1].kill()
    world.children[-1].wait()
    with pytest.raises(Undecided):
        world.observe(pid)
    assert _units.read(pid, "environ") is None
