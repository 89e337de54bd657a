"""Sealed files, with an encryption of the test's own in place of systemd-creds."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest
from golive.errors import GoliveError
from golive.sets.core import carry_out
from golive.sets.sealed import SealedFiles
from golive.sets.system import Completed, System


class Host(System):
    """Seals by name and host; opens only what it has sealed itself."""

    def __init__(self, root: str, name: str = "here") -> None:
        super().__init__(root)
        self.name, self.works = name, True

    def run(
        self, argv: Sequence[str], env: Optional[Mapping[str, str]] = None, timeout: float = 900, stdin: Optional[str] = None
    ) -> Completed:
        if not self.works:
            return Completed(1, "", "no host key")
        named = "%s|%s|" % (self.name, argv[2])
        if argv[1] == "encrypt":
            return Completed(0, base64.b64encode((named + (stdin or "")).encode()).decode() + "\n", "")
        try:
            text = base64.b64decode(Path(argv[3]).read_text()).decode()
        except ValueError:
            text = ""
        return Completed(0, text[len(named) :], "") if text.startswith(named) else Completed(1, "", "cannot decrypt")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "etc").mkdir()
    return Host(str(tmp_path))


def wanted(host: Host, secret: str | None = "s3cret", **more: Any) -> SealedFiles:
    content = None if secret is None else base64.b64encode(secret.encode()).decode()
    return SealedFiles(host, [{"path": "/etc/key.cred", "name": "kill_key", "content": content, **more}], owner=os.getuid())


def ops(result: Mapping[str, Any]) -> list[str]:
    return [one["op"] for one in result["changes"]]


def test_four_runs_predict_seal_and_rest(host: Host) -> None:
    assert ops(carry_out(wanted(host), dry=True)) == ["create"]
    assert not Path(host.path("/etc/key.cred")).exists()
    assert ops(carry_out(wanted(host), dry=False)) == ["create"]
    assert ops(carry_out(wanted(host), dry=True)) == ops(carry_out(wanted(host), dry=False)) == []
    kept = Path(host.path("/etc/key.cred"))
    assert kept.stat().st_mode & 0o7777 == 0o600
    assert "s3cret" not in kept.read_text()


def test_another_secret_a_wide_mode_and_another_hosts_file_are_put_right(host: Host) -> None:
    carry_out(wanted(host), dry=False)
    assert ops(carry_out(wanted(host, "another"), dry=False)) == ["update"]
    os.chmod(host.path("/etc/key.cred"), 0o644)
    assert ops(carry_out(wanted(host, "another"), dry=False)) == ["update"]
    host.name = "elsewhere"
    result = carry_out(wanted(host, "another"), dry=False)
    assert [one["before"] for one in result["changes"]] == ["not sealed to this host"]
    assert "another" not in str(result)


def test_a_secret_that_cannot_be_resolved_yet_is_a_prediction_and_never_a_deed(host: Host) -> None:
    assert ops(carry_out(wanted(host, None, unresolved="the store is sealed"), dry=True)) == ["create"]
    failed = carry_out(wanted(host, None, unresolved="the store is sealed"), dry=False)
    assert failed["failed"]
    assert "the store is sealed" in failed["msg"]
    carry_out(wanted(host), dry=False)
    assert ops(carry_out(wanted(host, None), dry=True)) == []


def test_what_the_host_says_when_it_cannot_seal_is_shown(host: Host) -> None:
    host.works = False
    failed = carry_out(wanted(host), dry=False)
    assert "could not encrypt to this host" in failed["msg"]
    assert "no host key" in failed["msg"]


def test_a_missing_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="directory above does not exist"):
        list(wanted(Host(str(tmp_path))).act(wanted(Host(str(tmp_path))).decide(wanted(Host(str(tmp_path))).current())))
