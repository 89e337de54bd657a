"""The set-up script: it says what it does, and what to do when it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from golive.lab.run import REPOSITORY
from golive.uv import certificate_environment

from tests.fixtures.plugins import load_file


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("PATH", os.environ["PATH"])  # main() puts the folders of system programs on it
    return load_file(REPOSITORY / "scripts" / "setup.py")


def _programs(folder: Path, **scripts: str) -> Path:
    """A folder of programs to be the whole PATH, with the little that a shell script needs."""
    folder.mkdir()
    for name in ("dirname", "sh"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("python", [
    "exit 127",  # a shim that leads nowhere
    "exit 1",  # a Python that is too old, as the check says
])
def test_machine_without_a_python_gets_one_sentence(tmp_path: Path, python: str) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPOSITORY / "scripts" / "setup", tmp_path / "scripts" / "setup")
    path = _programs(tmp_path / "bin", python3=python)
    done = subprocess.run([tmp_path / "scripts" / "setup"], check=False, capture_output=True, text=True, env={"PATH": str(path)})
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "no Python 3.11, 3.12 or 3.13" in done.stderr
    assert "apt-get install python3" in done.stderr


def test_unknown_step_is_refused_with_the_known_ones() -> None:
    done = subprocess.run([REPOSITORY / "scripts" / "setup", "enviroment"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no step enviroment" in done.stderr
    assert "env" in done.stderr


def test_failed_step_stops_and_says_why(setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def broken(progress: object) -> str:
        raise setup.SetupError("the mirror is silent; check the network")

    monkeypatch.setattr(setup, "STEPS", {"one": ("First", broken), "two": ("Second", lambda _: ran.append("two") or "done")})
    assert setup.main(["one", "two"]) == 1
    output = capsys.readouterr()
    assert output.err == "setup: the mirror is silent; check the network\n"
    assert "First … failed" in output.out
    assert ran == []


def test_each_step_is_one_line_with_its_time(setup: ModuleType, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup, "STEPS", {"one": ("First", lambda _: "cached"), "two": ("Second", lambda _: "unchanged")})
    assert setup.main(["one", "two"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("] ", 1)[1] for line in lines] == ["First … ok (cached)", "Second … ok (unchanged)"]
    assert all(line.startswith("[") and line.split("]")[0].endswith("s") for line in lines)


def test_long_step_tells_its_parts(setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def step(progress: object) -> str:
        progress.part("downloading")  # type: ignore[attr-defined]
        return "built"

    monkeypatch.setattr(setup, "STEPS", {"one": ("First", step)})
    assert setup.main(["one"]) == 0
    lines = [line.split("] ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == ["First … ", "  downloading", "First … ok (built)"]


def test_failed_command_is_quoted_in_its_own_words(setup: ModuleType) -> None:
    with pytest.raises(setup.SetupError, match=r"exit code 3, found: no route to mirror; check the network"):
        setup.run(["sh", "-c", "echo no route to mirror; exit 3"], todo="check the network")


def test_only_what_is_missing_is_installed(setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(_programs(tmp_path / "bin", git="", ssh=""))
    monkeypatch.setenv("PATH", path)
    wanted = {"git": ("git",), "openssh-client": ("ssh", "ssh-keygen"), "x": (str(tmp_path),), "y": (str(tmp_path / "none"),)}
    assert setup.missing_packages(wanted) == ["openssh-client", "y"]


def test_machine_with_its_own_authorities_makes_uv_trust_them(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    none = tmp_path / "none"
    assert certificate_environment({}, none) == {}
    assert certificate_environment({"CURL_CA_BUNDLE": str(bundle)}, none)["SSL_CERT_FILE"] == str(bundle)
    assert "SSL_CERT_FILE" not in certificate_environment({"SSL_CERT_FILE": str(tmp_path / "gone")}, none)
    (tmp_path / "company.crt").write_text("")
    assert certificate_environment({}, tmp_path)["UV_NATIVE_TLS"] == "1"


def test_journey_passes_its_exit_code_on_and_names_the_report(tmp_path: Path) -> None:
    """The script runs in a folder with a stand-in for ansible-playbook that opens a run as the journey does."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    playbook = tmp_path / ".venv/bin/ansible-playbook"
    playbook.write_text("#!/bin/sh\nmkdir -p reports/s/r1 && touch reports/s/r1/report.html && ln -sfn r1 reports/s/latest\nexit 4\n")
    playbook.chmod(0o755)

    def journey() -> tuple[int, str]:
        done = subprocess.run([REPOSITORY / "scripts" / "journey", "i.yml", "reports/s/latest"], check=False, cwd=tmp_path,
                              capture_output=True, text=True, env=os.environ)
        return done.returncode, done.stdout

    code, said = journey()
    assert (code, said.split(" (")[0]) == (4, "report: reports/s/r1/report.html")
    code, said = journey()  # the same run is still the latest: this one opened none
    assert code == 4
    assert "ended before a run was opened" in said


@pytest.mark.parametrize(("code", "ends"), [
    (0, (0, "", "Lab … ok (cached: x)")), (1, (1, "setup: no disk; free some\n", "Lab … failed")),
    (130, (130, "setup: interrupted; run the same command again to go on\n", "Lab … failed"))])
def test_parts_of_a_long_step_are_shown_as_they_come(setup: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
                                                     code: int, ends: tuple[int, str, str]) -> None:
    """The stand-in for a part of golive prints a part, and goes on only when that part has been shown."""
    shown: list[str] = []

    class Watched(setup.Progress):  # type: ignore[name-defined, misc]
        def part(self, text: str) -> None:
            super().part(text)
            shown.append(text)

    def main(words: tuple[str, ...]) -> int:
        print("[  0.1s] downloading")
        assert (words, shown) == (("image",), ["downloading"])
        print("cached: x" if code == 0 else "lab: no disk; free some", file=sys.stderr)
        return code

    stand_in = ModuleType("golive_stand_in")
    stand_in.main = main  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "golive_stand_in", stand_in)
    monkeypatch.setattr(setup, "VENV", Path(sys.prefix))
    monkeypatch.setattr(setup, "Progress", Watched)
    monkeypatch.setattr(setup, "STEPS", {"lab": ("Lab", setup._golive("golive_stand_in", "image"))})
    assert setup.main(["lab"]) == ends[0]
    output = capsys.readouterr()
    assert output.err == ends[1]
    assert [line.split("] ", 1)[1] for line in output.out.splitlines()] == ["Lab … ", "  downloading", ends[2]]


def test_what_golive_does_is_handed_to_the_environment_that_was_just_made(setup: ModuleType, monkeypatch: pytest.MonkeyPatch,
                                                                          tmp_path: Path) -> None:
    """The machine's Python makes the environment; Docker's client and Ansible are there only in the environment's own."""
    class HandedOver(Exception):
        pass

    def execve(program: Path, words: list[str], env: dict[str, str]) -> None:
        raise HandedOver(program, words[2:], float(env["GOLIVE_SETUP_BEGAN"]))

    python = tmp_path / "bin/python"
    _programs(python.parent, python="")
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "PYTHON", python)
    monkeypatch.setattr(setup, "STEPS", {name: (name, lambda progress: "made") for name in ("env", "lab", "people", "browser")})
    monkeypatch.setattr(setup.os, "execve", execve)
    before = time.monotonic()
    with pytest.raises(HandedOver) as handed:
        setup.main(["env", "lab", "people", "browser"])
    assert handed.value.args[:2] == (python, ["lab", "people", "browser"])
    assert before <= handed.value.args[2] <= time.monotonic()


def test_without_an_environment_nothing_of_golive_is_tried(setup: ModuleType, monkeypatch: pytest.MonkeyPatch,
                                                           capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "PYTHON", tmp_path / "bin/python")
    assert setup.main(["vault"]) == 1
    assert capsys.readouterr().err == "setup: the environment is not there yet; run `scripts/setup env` first\n"
