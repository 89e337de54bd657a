"""Rotation, backup and restore, access review, break-glass: against a real Vault, each repeatable, none without its proof."""
from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.leaks.index import Index
from golive.leaks.places import Search
from golive.store import audit_reading, break_glass, bring_up, client, config, people, review, rotation, settings, snapshot, wanted

from .conftest import Server, prepare, program

PEOPLE = ["lab-ada", "lab-bob", "lab-cy"]
Notes = list[tuple[str, dict[str, Any]]]
KEY = "vault:kv/slice/exchange/wire#key"
OLD, NEW = (json.dumps({"key": f"SANDBOX-{word}", "secret": word * 12}) for word in ("old1A", "new2B"))


@dataclass
class World:
    server: Server
    keepers: bring_up.Keepers
    want: wanted.Wanted

    def controller(self) -> Any:
        return client.login(self.server.settings, None)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("store")
    running = prepare(folder)
    running.start()
    keepers = bring_up.Keepers(PEOPLE, people.enrol(folder / "people", PEOPLE), 2, folder / "shares", folder / "people")
    processes = {"bot": {"reads": ["exchange/wire"], "from": ["127.0.0.1/32"]}}
    want = wanted.joined(wanted.system_wants("slice", [str(folder / "audit.log")], ["127.0.0.1/32"], identity_ttl=3600),
                         wanted.processes_want("slice", processes))
    bring_up.bring_up(running.settings, keepers, want, "slice-controller", dry=False)
    found = World(running, keepers, want)
    for path, value in (("exchange/wire", OLD), ("exchange/kill", OLD.replace("old", "kil")), ("alerts/receiver", "t" * 30)):
        client.write_secret(found.controller(), f"kv/slice/{path}", {"key": value})
    yield found
    running.kill()


def test_a_rotation_goes_step_by_step_and_every_step_can_be_repeated(world: World) -> None:
    connected = world.controller()
    assert rotation.state(connected, KEY) == rotation.State("idle", 1)
    with pytest.raises(GoliveError, match="nothing waits"):
        rotation.switch(connected, KEY)
    with pytest.raises(GoliveError, match="is the old one"):
        rotation.stage(connected, KEY, OLD)
    assert [rotation.stage(connected, KEY, NEW) for _ in range(2)] == [True, False]
    assert rotation.state(connected, KEY).step == "staged"
    assert client.read_field(connected, "kv/slice/exchange/wire", "key") == OLD  # nobody uses the new one before it is proved
    mount, path, field = rotation.parts(rotation.staged_reference(KEY))
    assert client.read_field(connected, f"{mount}/{path}", field) == NEW
    with pytest.raises(GoliveError, match="was not switched yet"):
        rotation.finish(connected, KEY, refused=True)
    assert [rotation.switch(connected, KEY) for _ in range(2)] == [True, False]
    assert rotation.previous(connected, KEY) == OLD
    with pytest.raises(GoliveError, match="was not seen refused"):
        rotation.finish(connected, KEY, refused=False)
    assert client.read_field(connected, "kv/slice/exchange/wire", "key") == NEW
    assert [rotation.finish(connected, KEY, refused=True) for _ in range(2)] == [True, False]
    with pytest.raises(GoliveError, match="no version of"):
        rotation.previous(connected, KEY)
    assert rotation.state(connected, KEY) == rotation.State("idle", 2)


def test_two_rotations_cannot_overtake_each_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    connected, other = world.controller(), world.controller()
    reference = "vault:kv/slice/alerts/receiver#key"
    rotation.stage(connected, reference)
    seen = rotation._current(connected, "kv", "slice/alerts/receiver", "key")
    rotation.switch(other, reference)
    monkeypatch.setattr(rotation, "_current", lambda *_: seen)
    with pytest.raises(GoliveError, match="check-and-set"):
        rotation.switch(connected, reference)


@pytest.mark.parametrize("reference", ["env_file:/x#Y", "sops:/x#y", "vault:kv/x#y", "vault:kv/slice/x", "text"])
def test_what_the_store_does_not_hold_cannot_be_rotated(reference: str) -> None:
    with pytest.raises(GoliveError, match="only a secret of the store can be rotated"):
        rotation.parts(reference)


def test_a_backup_opens_in_an_empty_store_and_every_secret_is_equal(world: World, tmp_path: Path) -> None:
    manifest = snapshot.take(world.controller(), tmp_path, "kv", "slice")
    assert snapshot.newest(tmp_path) == manifest
    before = {path.name for path in Path("/dev/shm").glob("golive-restore-*")}
    found = snapshot.drill(manifest, program(), world.keepers)
    assert (found["equal"], found["differing"], found["missing"]) == (found["secrets"], [], [])
    assert found["secrets"] >= 3
    assert {path.name for path in Path("/dev/shm").glob("golive-restore-*")} <= before
    # The drill's store opened the audit devices of the saved one, but not its files.
    assert "root" not in audit_reading.count([str(world.server.folder / "audit.log")], "kv", "2020")["used"]
    search = Search(Index.build({"wire": NEW, "old": OLD, "kill": OLD.replace("old", "kil")}))
    search.tree(str(tmp_path))
    assert (search.found, search.unread) == ([], [])
    told = json.loads(manifest.read_text())
    told["contents"]["slice/exchange/kill"] = "0" * 32
    told["contents"]["slice/gone"] = "0" * 32
    manifest.write_text(json.dumps(told))
    found = snapshot.drill(manifest, program(), world.keepers)
    assert (found["differing"], found["missing"]) == (["slice/exchange/kill"], ["slice/gone"])


def test_a_damaged_snapshot_and_no_snapshot_are_told(world: World, tmp_path: Path) -> None:
    with pytest.raises(GoliveError, match="there is no backup of the store"):
        snapshot.newest(tmp_path)
    manifest = snapshot.take(world.controller(), tmp_path, "kv", "slice")
    (tmp_path / json.loads(manifest.read_text())["files"][0]["name"]).write_bytes(b"\x1f\x8b broken")
    with pytest.raises(GoliveError, match="not what was written"):
        snapshot.drill(manifest, program(), world.keepers)


def reviewed(world: World) -> dict[str, Any]:
    connected = world.controller()
    held = sorted(snapshot.contents(connected, "kv", "slice", b"k"))
    used = audit_reading.count([str(world.server.folder / "audit.log")], "kv", "2020")["used"]
    return review.review(config.current(connected, world.want), world.want, held, used)


def test_the_review_says_who_can_read_what_who_did_and_what_code_does_not_give(world: World) -> None:
    client.read_field(world.controller(), "kv/slice/exchange/kill", "key")
    clean = reviewed(world)
    assert clean["problems"] == []
    assert clean["can_read"]["slice-bot"] == ["slice/exchange/wire"]
    assert "slice/exchange/kill" in clean["can_read"]["slice-controller"]
    assert clean["used"]["slice-controller"]["slice/exchange/kill"] >= 1
    assert clean["unused"]["slice-bot"] == ["slice/exchange/wire"]
    root = bring_up._root(client.unauthenticated(world.server.settings), world.keepers)
    root.sys.create_or_update_acl_policy("slice-bot", 'path "kv/data/slice/+/kill" { capabilities = ["read"] }')
    root.auth.approle.create_or_update_approle("by-hand", token_policies=["root"])
    root.sys.enable_auth_method("userpass")
    found = "\n".join(reviewed(world)["problems"])
    assert "role slice-bot can read slice/exchange/kill and code does not give it that" in found
    assert "role by-hand is not in code and can read" in found
    assert "userpass/ (userpass)" in found
    root.auth.approle.delete_role("by-hand")
    root.sys.disable_auth_method("userpass")
    root.auth.token.revoke_self()
    bring_up.bring_up(world.server.settings, world.keepers, world.want, "slice-controller", dry=False)
    assert reviewed(world)["problems"] == []


@pytest.mark.parametrize(("pattern", "path", "opens"), [
    ("kv/data/a/*", "kv/data/a/b/c", True), ("kv/data/a/+/c", "kv/data/a/b/c", True), ("kv/data/a/+", "kv/data/a/b/c", False),
    ("kv/data/a", "kv/data/ab", False), ("*", "kv/data/x", True), ("kv/data/a.", "kv/data/ab", False),
    ("kv/+/a*", "kv/data/ab", True)])  # fmt: skip
def test_a_policy_path_covers_what_the_server_says_it_covers(pattern: str, path: str, opens: bool) -> None:
    assert review.opens(pattern, path) is opens


def test_a_denied_path_is_no_grant() -> None:
    policy = """# path "kv/data/x" { capabilities = ["read"] }
    path "kv/data/*" { capabilities = ["read"] }
    path "kv/data/s/k" { capabilities = ["deny"] }"""
    there = wanted.Wanted(policies={"p": policy}, roles={"r": {"token_policies": ["p"]}})
    assert review.matrix(there, ["s/k", "s/l"]) == {"r": ["s/l"]}


@pytest.fixture
def notes(world: World) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    break_glass.place("slice").unlink(missing_ok=True)
    yield []
    break_glass.place("slice").unlink(missing_ok=True)


def test_a_broken_glass_is_noted_first_opens_for_minutes_and_leaves_no_root(world: World, notes: Notes) -> None:
    def note(act: str, detail: dict[str, Any]) -> None:
        assert bool(notes) or not break_glass.place("slice").exists()
        notes.append((act, detail))

    found = break_glass.open_(world.server.settings, world.keepers, "slice", "ada", "venue locked us out", 5, note)
    assert [act for act, _ in notes] == ["break_glass", "break_glass_open"]
    holder = client.unauthenticated(world.server.settings)
    holder.token = Path(found["place"]).read_text()
    told = holder.auth.token.lookup_self()["data"]
    assert (told["explicit_max_ttl"], told["renewable"], told["meta"]["who"], told["orphan"]) == (300, False, "ada", True)
    assert break_glass.root_tokens(holder) == [found["accessor"]]
    assert holder.token not in json.dumps([found, notes])
    with pytest.raises(GoliveError, match="broken already"):
        break_glass.open_(world.server.settings, world.keepers, "slice", "ada", "venue locked us out", 5, note)
    assert break_glass.close(world.server.settings, "slice", note) is True
    assert not holder.is_authenticated()
    assert break_glass.close(world.server.settings, "slice", note) is False


def test_no_glass_is_broken_without_a_person_a_reason_or_a_record(world: World, notes: Notes) -> None:
    assert notes == []

    def silent(_act: str, _detail: dict[str, Any]) -> None:
        raise GoliveError("the audit log cannot be written")

    wrong = (("", "a long reason", 5, "by a person"), ("ada", "short", 5, "for a reason"), ("ada", "a long reason", 600, "for minutes"))
    for who, reason, minutes, words in wrong:
        with pytest.raises(GoliveError, match=words):
            break_glass.open_(world.server.settings, world.keepers, "slice", who, reason, minutes, silent)
    with pytest.raises(GoliveError, match="audit log cannot be written"):
        break_glass.open_(world.server.settings, world.keepers, "slice", "ada", "a long reason", 5, silent)
    assert not break_glass.place("slice").exists()


def test_an_identity_that_has_ended_is_made_anew_by_the_next_run(world: World) -> None:
    before = world.server.settings.identity.read_text()
    root = bring_up._root(client.unauthenticated(world.server.settings), world.keepers)
    for accessor in root.auth.approle.list_secret_id_accessors("slice-controller")["data"]["keys"]:
        root.auth.approle.destroy_secret_id_accessor("slice-controller", accessor)
    root.auth.token.revoke_self()
    with pytest.raises(GoliveError, match="invalid role or secret ID"):
        world.controller()
    predicted = bring_up.bring_up(world.server.settings, world.keepers, world.want, "slice-controller", dry=True)
    assert ("vault_identity:slice-bot, slice-controller", "create") in {(one["object"], one["op"]) for one in predicted}
    bring_up.bring_up(world.server.settings, world.keepers, world.want, "slice-controller", dry=False)
    assert world.server.settings.identity.read_text() != before
    assert world.controller().is_authenticated()
    assert settings.token_directory().stat().st_mode & 0o077 == 0
    shutil.rmtree(world.server.folder / "nothing", ignore_errors=True)
