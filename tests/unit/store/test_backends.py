"""Small users' places: read strictly, refused in one sentence, honest about what they lack, and nothing of them in an error."""
from __future__ import annotations

import json
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from golive import plan, secrets
from golive.errors import GoliveError
from golive.store import backends

CANARY = "kQ9x'7L\"pA $z+R1"


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(("line", "value"), [
    ("API_SECRET=plain+value==", "plain+value=="), ("export API_SECRET='with $dollar and \"'", 'with $dollar and "'),
    ('API_SECRET="say \\"hi\\" for \\$5"', 'say "hi" for $5'), ("# API_SECRET=old\nAPI_SECRET=new", "new"),
    ("API_SECRET=first\nAPI_SECRET=second", "second"), ("OTHER=1\nAPI_SECRET = spaced", "spaced")])  # fmt: skip
def test_an_environment_file_is_read_without_a_shell(tmp_path: Path, line: str, value: str) -> None:
    path = private(tmp_path / ".env", line + "\n")
    assert secrets.resolve(f"env_file:{path}#API_SECRET", {}) == value


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_an_environment_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / ".env", f"API_SECRET={CANARY}\n")
    path.chmod(mode)
    with pytest.raises(GoliveError, match="may be read or replaced by others") as refused:
        secrets.resolve(f"env_file:{path}#API_SECRET", {})
    assert CANARY not in str(refused.value)


def test_a_link_to_an_environment_file_is_refused(tmp_path: Path) -> None:
    private(tmp_path / "real", "A=b\n")
    (tmp_path / ".env").symlink_to(tmp_path / "real")
    with pytest.raises(GoliveError, match="may be read or replaced"):
        secrets.resolve(f"env_file:{tmp_path}/.env#A", {})


@pytest.mark.parametrize("text", ["", "API_SECRET=\n", "OTHER=x\n"])
def test_a_missing_value_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(GoliveError, match="has no value for API_SECRET"):
        secrets.resolve(f"env_file:{private(tmp_path / '.env', text)}#API_SECRET", {})


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)


def test_sops_is_asked_as_documented_and_its_own_words_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    told = json.dumps({"exchange": {"live": {"key": "k", "secret": CANARY}}})
    fake(tmp_path, "sops", f"echo \"$@\" > {tmp_path}/asked\ncat {tmp_path}/told\n")
    (tmp_path / "told").write_text(told)
    kept = private(tmp_path / "secrets.yaml", "sops: {mac: x}\n")
    assert secrets.resolve(f"sops:{kept}#exchange.live.secret", {}) == CANARY
    assert json.loads(secrets.resolve(f"sops:{kept}#exchange.live", {})) == {"key": "k", "secret": CANARY}
    assert (tmp_path / "asked").read_text().split() == ["--decrypt", "--output-type", "json", str(kept)]
    assert backends.encrypted_by_sops(kept)
    assert not backends.encrypted_by_sops(private(tmp_path / "clear.yaml", "exchange: {secret: x}\n"))
    fake(tmp_path, "sops", "echo 'Failed to get the data key required to decrypt the SOPS file.' >&2; exit 128\n")
    with pytest.raises(GoliveError, match="Failed to get the data key"):
        secrets.resolve(f"sops:{kept}#exchange", {})
    (tmp_path / "sops").unlink()
    with pytest.raises(GoliveError, match="sops is not installed"):
        secrets.resolve(f"sops:{kept}#exchange", {})


@pytest.mark.skipif(shutil.which("systemd-creds") is None, reason="systemd-creds is not installed (systemd 250 or newer)")
def test_a_systemd_credential_opens_on_this_host_only_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "live.cred"
    value = json.dumps({"key": "k", "secret": CANARY})
    command = ["systemd-creds", "encrypt", "--with-key=host", "--name=live", "-", str(path)]
    made = subprocess.run(command, input=value.encode(), capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    assert CANARY.encode() not in path.read_bytes()
    assert secrets.resolve(f"systemd_creds:{path}#secret", {}) == CANARY
    assert secrets.resolve(f"systemd_creds:{path}#", {}) == value
    renamed = path.rename(tmp_path / "other.cred")
    with pytest.raises(GoliveError, match="systemd-creds cannot open it"):
        secrets.resolve(f"systemd_creds:{renamed}#secret", {})


def test_each_place_says_what_it_does_not_give() -> None:
    assert backends.lacking(["vault:kv/x#y", "index:vault:kv/x#y"]) == {}
    for name in ("sops", "systemd_creds", "env_file"):
        lacks = backends.lacking([f"{name}:/x#y"])
        assert {"audit", "revocation", "rotation"} <= set(lacks) <= set(backends.GIVES)
    assert set(backends.lacking(["nonsense"])) == set(backends.GIVES)
    for backend in backends.BACKENDS.values():
        assert set(backend.lacks) <= set(backends.GIVES)
        assert all(backend.lacks.values())


def test_a_plan_delivers_references_of_every_place() -> None:
    asked = {"probes": [{"ask": {"a": ["sops:/x#y", "env_file:/x#Y", "systemd_creds:/x#"], "b": "index:vault:kv/x#y", "c": "other:/x#y"}}]}
    assert plan.secret_references(asked) == {"sops:/x#y", "env_file:/x#Y", "systemd_creds:/x#", "index:vault:kv/x#y"}


def test_a_read_leaves_no_copy(tmp_path: Path) -> None:
    path = private(tmp_path / ".env", "A=bcdefg\n")
    secrets.resolve(f"env_file:{path}#A", {})
    assert [one.name for one in tmp_path.iterdir()] == [".env"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
