"""A key is read from a descriptor, a credential or a private file, and nothing of it is in any error."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.exchange import credential
from golive.exchange.model import Credential

KEY, SECRET = "SANDBOXpublicid0001", "very/secret+text=="
WHOLE = json.dumps({"key": KEY, "secret": SECRET})


def private(path: Path, text: str = WHOLE, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_private_file(tmp_path: Path) -> None:
    assert credential.load(f"file:{private(tmp_path / 'k')}", {}) == Credential(KEY, SECRET)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(GoliveError, match="others may read"):
        credential.load(f"file:{private(tmp_path / 'k', mode=mode)}", {})


def test_a_link_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "k")
    (tmp_path / "l").symlink_to(tmp_path / "k")
    with pytest.raises(GoliveError, match="cannot be opened"):
        credential.load(f"file:{tmp_path / 'l'}", {})


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p", 0o600)
    with pytest.raises(GoliveError, match="not a regular file"):
        credential.load(f"file:{tmp_path / 'p'}", {})


def test_a_descriptor(tmp_path: Path) -> None:
    with private(tmp_path / "k").open("rb") as handle:
        assert credential.load(f"fd:{handle.fileno()}", {}).key == KEY


@pytest.mark.parametrize("reference", ["fd:abc", "fd:-1", "fd:99999"])
def test_a_descriptor_that_is_none(reference: str) -> None:
    with pytest.raises(GoliveError):
        credential.load(reference, {})


def test_a_credential_of_the_service(tmp_path: Path) -> None:
    private(tmp_path / "exchange_key", mode=0o440)  # systemd's own modes inside its own directory
    assert credential.load("credential:exchange_key", {"CREDENTIALS_DIRECTORY": str(tmp_path)}).secret == SECRET


@pytest.mark.parametrize(
    ("name", "environment"),
    [("exchange_key", {}), ("../etc/shadow", {"CREDENTIALS_DIRECTORY": "/x"}), ("..", {"CREDENTIALS_DIRECTORY": "/x"})],
)
def test_a_credential_that_is_none(name: str, environment: dict[str, str]) -> None:
    with pytest.raises(GoliveError):
        credential.load("credential:" + name, environment)


def test_a_sealed_file_is_opened_by_systemd_creds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "systemd-creds"
    tool.write_text('#!/bin/sh\n[ "$1 $2 $4" = "decrypt --name=exchange_key -" ] || exit 9\ncat "$3"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    sealed = private(tmp_path / "exchange_key.cred")
    assert credential.load(f"sealed:{sealed}", {}).key == KEY


def test_a_sealed_file_that_does_not_open_is_told_in_systemds_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "systemd-creds"
    tool.write_text("#!/bin/sh\necho first >&2; echo 'Failed to decrypt: Wrong medium type' >&2; exit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(GoliveError, match="Wrong medium type") as caught:
        credential.load(f"sealed:{private(tmp_path / 'k.cred')}", {})
    assert "first" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{", '{"key": "%s"}' % KEY, json.dumps({"key": KEY, "secret": ""}), json.dumps({"key": KEY, "secret": 5}),
        json.dumps({"key": KEY, "secret": SECRET, SECRET: "x"}), json.dumps({"key": KEY, "api_key": KEY, "secret": SECRET}),
        json.dumps({"key": "your_api_key", "secret": SECRET}), json.dumps({"key": KEY, "secret": "test"}),
        json.dumps({"key": KEY + "\r\nX: y", "secret": SECRET}), json.dumps({"key": KEY, "secret": SECRET, "passphrase": "a b"}),
        "x" * 20_000,
    ],
)  # fmt: skip
def test_a_document_that_is_no_key_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    with pytest.raises(GoliveError) as caught:
        credential.load(f"file:{private(tmp_path / 'k', text)}", {})
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("reference", [SECRET, "", "https://x", KEY + ":", "vault:kv/exchange/live"])
def test_a_secret_in_place_of_a_reference_is_not_quoted(reference: str) -> None:
    with pytest.raises(GoliveError) as caught:
        credential.load(reference, {})
    assert not reference or reference not in str(caught.value)


def test_api_names_and_a_passphrase(tmp_path: Path) -> None:
    text = json.dumps({"api_key": KEY, "api_secret": SECRET, "passphrase": "pass-77"})
    assert credential.load(f"file:{private(tmp_path / 'k', text)}", {}) == Credential(KEY, SECRET, "pass-77")


def test_no_repr_shows_anything() -> None:
    assert repr(Credential(KEY, SECRET)) == str(Credential(KEY, SECRET)) == f"{Credential(KEY, SECRET)}" == "Credential(…)"
