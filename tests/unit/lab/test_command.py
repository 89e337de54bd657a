"""`python -m golive.lab` ends in one sentence, whatever goes wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import requests
from docker.errors import APIError
from golive.lab import __main__ as command
from golive.lab import engine as engines
from golive.lab.errors import LabError
from golive.lab.run import REPOSITORY, as_root, run

INVENTORY = str(REPOSITORY / "tests" / "fixtures" / "lab" / "pair.yml")


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    socket = tmp_path / "none.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    return socket


def test_silent_engine_is_said_in_the_systems_own_words(no_engine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["status", "-i", INVENTORY]) == 1
    assert capsys.readouterr().err == "lab: no Docker Engine answers, found [Errno 2] No such file or directory; " \
                                      "run `make lab`, which starts one\n"


def test_engine_somewhere_else_is_not_replaced_by_one_of_ours(no_engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLIVE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(LabError, match=r"DOCKER_HOST: no Docker Engine answers.*none.sock; start that engine, or unset DOCKER_HOST"):
        engines.ensure_engine(print)


@pytest.mark.parametrize("trouble", [
    APIError("500 Server Error: no space\nleft on device"),
    requests.exceptions.ConnectionError("Connection aborted."),
    PermissionError(13, "Permission denied", "/somewhere"),
    LabError("the lab host does not run", where="bot"),
])
def test_trouble_is_one_line_and_no_traceback(trouble: Exception, monkeypatch: pytest.MonkeyPatch,
                                              capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Any:
        raise trouble

    monkeypatch.setattr(engines, "connect", broken)
    assert command.main(["up", "-i", INVENTORY]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lab: ")
    assert len(said.splitlines()) == 1


def test_interrupted_command_says_that_it_can_be_repeated(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(engines, "connect", interrupted)
    assert command.main(["up", "-i", INVENTORY]) == 130
    assert "run the same command again" in capsys.readouterr().err


def test_failed_program_is_quoted(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(LabError, match=f"exit code 4, found first . last; see {log}"):
        run(["sh", "-c", "echo first; echo last; exit 4"], log=log)
    assert "first\nlast" in log.read_text()


def test_root_rights_are_asked_of_sudo_or_missed_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match=r"root's rights are needed for `debootstrap`.*run as root, or install sudo"):
        as_root(["debootstrap"])
    (tmp_path / "sudo").write_text("#!/bin/sh\n")
    (tmp_path / "sudo").chmod(0o755)
    assert as_root(["debootstrap", "x"])[0] == "sudo"
    assert as_root(["debootstrap", "x"])[-2:] == ["debootstrap", "x"]
