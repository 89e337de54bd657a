"""The command for a person and for ExecStartPre=: exit 0 pass, 1 fail, 2 undecided, 64 usage; one process, as it is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golive.exchange import pack
from golive.exchange.ask import World
from golive.exchange.command import main

from tests.integration.exchange.leaks import assert_clean
from tests.integration.exchange.tls_venue import Pki, answer, venue
from tests.unit.exchange.venue_fixtures import fixture

KRAKEN = fixture("kraken")
KEY = json.dumps({"key": KRAKEN.credential.key, "secret": KRAKEN.credential.secret}).encode()
OLD_PYTHON = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(pki: Pki) -> Command:
    """Run it with the key on descriptor 3."""

    def run(*options: str, url: str = "https://localhost:1", key: bytes = KEY, environment: dict[str, str] | None = None) -> Any:
        read, write = os.pipe()
        os.write(write, key)
        os.close(write)
        try:
            done = subprocess.run(
                [sys.executable, "-m", "golive.exchange", "--venue", "kraken", "--credential", f"fd:{read}", "--rehearsal", "--ca-file",
                 pki.ca_file, "--base-url", url, *options],
                pass_fds=(read,), capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}, timeout=60,
            )  # fmt: skip
            assert_clean(done.stdout + done.stderr, KRAKEN.credential)
            return done
        finally:
            os.close(read)

    return run


@pytest.mark.parametrize(("case", "code", "word"), [("least", 0, "PASS"), ("documented", 1, "FAIL"), ("added_right", 1, "FAIL")])
def test_the_exit_code_says_the_verdict(command: Command, pki: Pki, case: str, code: int, word: str) -> None:
    with venue(pki, answer(KRAKEN.cases[case]["body"])) as served:
        done = command("--nonce-source", "own_key", "--one-line", url=served.url)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout.startswith(word + ": kraken key ")
    assert done.stdout.count("\n") == 1


def test_a_venue_in_trouble_is_undecided(command: Command, pki: Pki) -> None:
    with venue(pki, answer({"error": ["EGeneral:Temporary lockout"]})) as served:
        done = command("--nonce-source", "own_key", "--one-line", url=served.url)
    assert done.returncode == 2
    assert "EGeneral:Temporary lockout" in done.stdout


def test_the_table_shows_every_right(command: Command, pki: Pki) -> None:
    with venue(pki, answer(KRAKEN.cases["added_right"]["body"])) as served:
        done = command("--nonce-source", "own_key", url=served.url)
    for row in ("✓ read", "✓ trade", "? withdraw", "! move-everything", "may be used from: 192.0.2.10"):
        assert row in done.stdout


def test_the_table_also_prints_on_a_terminal_without_utf8(command: Command, pki: Pki) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        done = command(
            "--nonce-source", "own_key", url=served.url, environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert "yes read" in done.stdout
    assert "no  withdraw" in done.stdout


def test_json_is_one_object(command: Command, pki: Pki) -> None:
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        done = command("--nonce-source", "own_key", "--json", url=served.url)
    found = json.loads(done.stdout)
    assert found["verdict"] == "pass"
    assert found["facts"]["rights.granted"] == ["read", "trade"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--venue", "krakn"), "--venue"), (("--secret", "kQH5HW/8p1uG"), "unrecognized arguments"),
        (("--timeout", "kQH5HW/8p1uG"), "--timeout"),
        (("--api-key=kQH5HW/8p1uG",), "unrecognized arguments"), (("--nonce-source", "kQH5HW/8p1uG"), "--nonce-source"),
        (("--nonce-source", "bot_stopped"), "bot_units"), (("--ip-allowlist", "exact"), "ip_allowlist.addresses"),
        (("--allow", "reed"), "allow"), (("--credential", "kQH5HW/8p1uG"), "credential"),
    ],
)  # fmt: skip
def test_a_usage_error_is_one_line_and_never_quotes_a_value_that_could_be_a_secret(
    command: Command, options: tuple[str, ...], words: str
) -> None:
    done = command(*options)
    assert done.returncode == 64
    assert done.stdout == ""
    assert done.stderr.startswith("USAGE: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert "kQH5HW" not in done.stderr


@pytest.mark.parametrize(("case", "code", "rests"), [("least", 0, []), ("documented", 1, [45.0])])
def test_a_unit_that_restarts_itself_does_not_ask_in_a_stream(
    pki: Pki, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, code: int, rests: list[float]
) -> None:
    """systemd starts a unit again two seconds after a failed ExecStartPre=; a venue locks out who asks like that."""
    rested: list[float] = []
    (tmp_path / "key.json").write_bytes(KEY)
    (tmp_path / "key.json").chmod(0o600)
    with venue(pki, answer(KRAKEN.cases[case]["body"])) as served:
        argv = ["--venue", "kraken", "--credential", f"file:{tmp_path}/key.json", "--rehearsal", "--ca-file", pki.ca_file, "--base-url",
                served.url, "--nonce-source", "own_key", "--one-line", "--pause", "45"]  # fmt: skip
        assert main(argv, World(unit_state=lambda _unit: "inactive", rest=rested.append)) == code
    assert rested == rests
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("key", [b"", b"not json", b'{"key": "SANDBOXx0001"}', b"\xff\xfe"])
def test_a_key_of_another_form_is_usage(command: Command, key: bytes) -> None:
    done = command("--nonce-source", "own_key", key=key)
    assert done.returncode == 64
    assert "Traceback" not in done.stderr


def test_help_is_the_reference(command: Command) -> None:
    done = command("--help")
    assert done.returncode == 0
    assert "--nonce-source" in done.stdout


def test_as_exec_start_pre_with_the_services_credential(pki: Pki, tmp_path: Path) -> None:
    (tmp_path / "exchange_key").write_bytes(KEY)
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        done = subprocess.run(
            [sys.executable, "-m", "golive.exchange", "--venue", "kraken", "--credential", "credential:exchange_key", "--rehearsal",
             "--ca-file", pki.ca_file, "--base-url", served.url, "--nonce-source", "own_key", "--one-line"],
            capture_output=True, text=True, check=False, env={**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("python", [sys.executable, *map(str, OLD_PYTHON[:1])], ids=lambda path: Path(path).name)
def test_packed_into_one_file_it_runs_on_a_host_without_golive(pki: Pki, tmp_path: Path, python: str) -> None:
    assert pack.main([str(tmp_path / "exchange_key.pyz")]) == 0
    assert (tmp_path / "exchange_key.pyz").read_bytes() == pack.pack()
    (tmp_path / "exchange_key").write_bytes(KEY)
    with venue(pki, answer(KRAKEN.cases["least"]["body"])) as served:
        done = subprocess.run(
            [python, "-I", str(tmp_path / "exchange_key.pyz"), "--venue", "kraken", "--credential", "credential:exchange_key",
             "--rehearsal", "--ca-file", pki.ca_file, "--base-url", served.url, "--nonce-source", "own_key", "--one-line"],
            capture_output=True, text=True, check=False, env={"CREDENTIALS_DIRECTORY": str(tmp_path), "PATH": "/usr/bin"}, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exchange_key", "exchange_key.pyz"]


def test_packing_to_nowhere_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert pack.main([str(tmp_path / "no/such/file")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    assert pack.main([]) == 64
