"""Certificates: the key stays on its host, the authority's stays on the controller, and what is not right is replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive.canonical import utc
from golive.errors import GoliveError
from golive.sets import authority
from golive.sets.certificates import BUNDLE, Certificates
from golive.sets.core import carry_out
from golive.sets.system import Completed, System

WANTED = {"certificate": "/tls/vault.crt", "key": "/tls/vault.key", "names": ["vault", "192.0.2.14"], "owner": "me", "group": "me"}
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the keys on a host")


class Host(System):
    """A host in a directory with the machine's own openssl; update-ca-certificates only joins files."""

    def __init__(self, root: Path) -> None:
        super().__init__(str(root))
        for place in ("etc/ssl/certs", "usr/local/share/ca-certificates", "tls"):
            (root / place).mkdir(parents=True)
        (root / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
        (root / "etc/group").write_text(f"me:x:{os.getgid()}:\n")

    def has(self, command: str) -> bool:
        return True

    def run(self, argv: Any, *_: Any, **__: Any) -> Completed:
        if argv[0] == "update-ca-certificates":
            trusted = Path(self.path("/usr/local/share/ca-certificates")).glob("*.crt")
            Path(self.path(BUNDLE)).write_text("".join(path.read_text() for path in trusted))
            return Completed(0, "", "")
        done = subprocess.run(list(argv), capture_output=True, text=True, check=False)
        return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "host")


@pytest.fixture
def ours(tmp_path: Path) -> authority.Authority:
    return authority.ensure(tmp_path / "ca.crt", tmp_path / "ca.key", "golive lab test", 7)


def run(host: Host, ours: authority.Authority, dry: bool = False, renew_before_s: int = 3600, **changed: Any) -> dict[str, Any]:
    """Do what the action plugin does: run, sign what is needed, run again."""
    wanted, trust = [{**WANTED, **changed}], ["/usr/local/share/ca-certificates/golive-lab.crt"]
    result = carry_out(Certificates(host, ours.pem, wanted, trust, renew_before_s, {}), dry)
    if "needs" not in result:
        return result
    signed = {one["certificate"]: ours.sign(one["public_key"], wanted[0]["names"], 2) for one in result["needs"]}
    return carry_out(Certificates(host, ours.pem, wanted, trust, renew_before_s, signed), dry)


def names(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["object"].split("/")[-1], change["op"]) for change in result["changes"]]


def test_four_runs(host: Host, ours: authority.Authority) -> None:
    predicted = run(host, ours, dry=True)
    assert os.listdir(host.path("/tls")) == []
    real = run(host, ours)
    assert names(real) == names(predicted) == [("golive-lab.crt", "create"), ("vault.crt", "create")]
    assert run(host, ours, dry=True)["changes"] == []
    assert run(host, ours)["changes"] == []
    assert os.stat(host.path("/tls/vault.key")).st_mode & 0o777 == 0o640


def test_what_is_wrong_is_the_reason(host: Host, ours: authority.Authority, tmp_path: Path) -> None:
    run(host, ours)
    other = authority.ensure(tmp_path / "b.crt", tmp_path / "b.key", "golive lab other", 7)
    assert run(host, ours, dry=True, names=["vault"])["changes"][0]["before"] == "its names are 192.0.2.14 vault"
    assert run(host, ours, dry=True, renew_before_s=10 * 86400)["changes"][0]["before"].startswith("it ends at ")
    assert run(host, other, dry=True)["changes"][1]["before"] == "it is from another authority"
    shutil.copy(tmp_path / "b.key", host.path("/tls/vault.key"))
    assert run(host, ours, dry=True)["changes"][0]["before"] == "its key is another one"
    os.unlink(host.path("/tls/vault.key"))
    assert run(host, ours, dry=True)["changes"][0]["before"] == "its key is absent"


def test_a_certificate_is_what_was_issued_to_the_last_byte(host: Host, ours: authority.Authority) -> None:
    """Number 22 of the drift campaign: a comment behind the certificates was golive's file and nobody's finding."""
    run(host, ours)
    place = Path(host.path("/tls/vault.crt"))
    issued = place.read_text()
    spoilt = bytearray(issued.encode())
    at = issued.index("\n-----END") - 12     # in the signature: it still parses, with the same names and the same key
    spoilt[at] = ord("A") if spoilt[at] != ord("A") else ord("B")
    for text, reason in ((issued + "\n# golive mutation\n", "it holds more than was issued"),
                         ("# mine\n" + issued, "it holds more than was issued"),
                         (issued.replace(ours.pem, ours.pem * 2), "it holds more than was issued"),
                         (spoilt.decode(), "its authority did not sign it")):
        place.write_text(text)
        assert [one["before"] for one in run(host, ours, dry=True)["changes"]] == [reason]
    assert names(run(host, ours)) == [("vault.crt", "renew")]
    assert run(host, ours)["changes"] == []


@pytest.mark.parametrize(("name", "reason"), [("vault.crt", "it is a link"), ("vault.key", "its key is a link")])
def test_a_link_is_replaced_and_not_followed(host: Host, ours: authority.Authority, tmp_path: Path, name: str, reason: str) -> None:
    run(host, ours)
    shutil.move(host.path(f"/tls/{name}"), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", host.path(f"/tls/{name}"))
    before = (tmp_path / "elsewhere").stat()
    assert run(host, ours, dry=True)["changes"][0]["before"] == reason
    assert names(run(host, ours)) == [("vault.crt", "renew")]
    assert not os.path.islink(host.path(f"/tls/{name}"))
    assert (tmp_path / "elsewhere").stat().st_ctime_ns == before.st_ctime_ns
    assert run(host, ours)["changes"] == []


def test_a_rotation_replaces_what_was_made_before_it_began_however_young_and_nothing_twice(
        host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "BACKDATED", timedelta(minutes=10))  # so it looks five minutes old
    ours = authority.ensure(tmp_path / "ca.crt", tmp_path / "ca.key", "golive lab test", 7)
    run(host, ours)
    monkeypatch.undo()
    began = utc(datetime.now(UTC))

    def rotated(signed: dict[str, str], dry: bool = False) -> dict[str, Any]:
        return carry_out(Certificates(host, ours.pem, [WANTED], [], 3600, signed, began), dry)

    assert run(host, ours, dry=True)["changes"] == []
    assert rotated({}, dry=True)["changes"][0]["before"] == f"it was made before {began}"
    signed = {one["certificate"]: ours.sign(one["public_key"], WANTED["names"], 2) for one in rotated({})["needs"]}
    assert names(rotated(signed)) == [("vault.crt", "renew")]
    assert rotated({})["changes"] == []


def test_each_renewal_brings_a_new_key(host: Host, ours: authority.Authority) -> None:
    run(host, ours)
    before = host.read("/tls/vault.key")
    assert names(run(host, ours, names=["vault"])) == [("vault.crt", "renew")]
    assert host.read("/tls/vault.key") != before


def test_a_run_that_was_killed_between_key_and_certificate_is_made_good(host: Host, ours: authority.Authority) -> None:
    run(host, ours)
    wanted = Certificates(host, ours.pem, [{**WANTED, "names": ["vault"]}], [], 3600, {})
    wanted.needs(wanted.decide(wanted.current()))
    os.replace(host.path("/tls/vault.key.next"), host.path("/tls/vault.key"))
    assert names(run(host, ours)) == [("vault.crt", "renew")]
    assert run(host, ours)["changes"] == []


def test_a_loose_key_file_is_tightened(host: Host, ours: authority.Authority) -> None:
    run(host, ours)
    os.chmod(host.path("/tls/vault.key"), 0o644)
    assert names(run(host, ours)) == [("vault.crt", "update")]
    assert os.stat(host.path("/tls/vault.key")).st_mode & 0o777 == 0o640


def test_a_certificate_never_outlives_its_authority(ours: authority.Authority, host: Host) -> None:
    wanted = Certificates(host, ours.pem, [WANTED], [], 60, {})
    public = wanted.needs(wanted.decide(wanted.current()))[0]["public_key"]
    Path(host.path("/tls/long.crt")).write_text(ours.sign(public, ["vault"], 3650))
    end = subprocess.run(
        ["openssl", "x509", "-in", host.path("/tls/long.crt"), "-noout", "-checkend", str(7 * 86400 + 60)], capture_output=True, check=False
    )
    assert end.returncode == 1


def test_an_authority_is_made_once_and_again_when_it_is_about_to_end(tmp_path: Path) -> None:
    first = authority.ensure(tmp_path / "ca.crt", tmp_path / "ca.key", "golive lab test", 7)
    assert authority.ensure(tmp_path / "ca.crt", tmp_path / "ca.key", "golive lab test", 7).pem == first.pem
    assert first.ends_within(timedelta(days=8))
    assert authority.ensure(tmp_path / "ca.crt", tmp_path / "ca.key", "golive lab test", 30).pem != first.pem
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600


def test_an_authority_that_others_may_read_or_that_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        authority.ensure(tmp_path / f"{name}.crt", tmp_path / f"{name}.key", f"golive lab {name}", 7)
    with pytest.raises(GoliveError, match="do not belong together"):
        authority.load(tmp_path / "a.crt", tmp_path / "b.key")
    (tmp_path / "a.key").chmod(0o644)
    with pytest.raises(GoliveError, match="may be read by others"):
        authority.load(tmp_path / "a.crt", tmp_path / "a.key")
