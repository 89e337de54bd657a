"""A backup becomes the store of an empty host: opened by the same people, equal secret by secret, and the run can die anywhere."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.store import bring_up, client, nodes, people, restoring, settings, snapshot, wanted
from golive.store.settings import Settings

from .conftest import Server, open_store, prepare

PEOPLE = ["lab-ada", "lab-bob", "lab-cy"]


@dataclass
class Saved:
    """The backup of a store that is gone, and who can open it."""

    manifest: Path
    keepers: bring_up.Keepers
    identity: Path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Saved]:
    folder = tmp_path_factory.mktemp("saved")
    running = prepare(folder)
    running.start()
    keepers = bring_up.Keepers(PEOPLE, people.enrol(folder / "people", PEOPLE), 2, folder / "shares", folder / "people")
    want = wanted.system_wants("slice", [str(folder / "audit.log")], [])
    bring_up.bring_up(running.settings, keepers, want, "slice-controller", dry=False)
    connected = client.login(running.settings, None)
    for name in ("exchange/wire", "exchange/kill", "alerts"):
        client.write_secret(connected, f"kv/slice/{name}", {"key": f"the one of {name}"})
    yield Saved(snapshot.take(connected, folder / "backups", "kv", "slice"), keepers, running.settings.identity)
    running.kill()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    running = prepare(tmp_path, "spare")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Iterator[Path]:
    place = settings.token_directory() / f"test-{request.node.name}"
    yield place
    place.unlink(missing_ok=True)


def at(server: Server, saved: Saved) -> Settings:
    """The empty host's address, and the controller's identity as it was at the saved store."""
    return replace(server.settings, identity=saved.identity)


def restore(server: Server, saved: Saved, kept: Path, keepers: bring_up.Keepers | None = None) -> dict[str, Any]:
    return restoring.restore(at(server, saved), saved.manifest, keepers or saved.keepers, kept)


def test_an_empty_store_becomes_the_saved_one_and_a_second_run_compares_only(saved: Saved, empty: Server, kept: Path) -> None:
    assert restoring.planned(at(empty, saved), kept) == ["restore"]
    found = restore(empty, saved, kept)
    assert (found["secrets"], found["equal"], found["differing"], found["missing"]) == (3, 3, [], [])
    assert not kept.exists()
    # It is the saved store: the controller's own identity opens it, and the people's shares after a restart.
    connected = client.login(at(empty, saved), None)
    assert client.read_field(connected, "kv/slice/exchange/kill", "key") == "the one of exchange/kill"
    assert restoring.planned(at(empty, saved), kept) == []
    assert restore(empty, saved, kept)["equal"] == 3
    empty.restart()
    assert restoring.planned(at(empty, saved), kept) == ["unseal"]
    assert restore(empty, saved, kept)["equal"] == 3
    client.write_secret(connected := client.login(at(empty, saved), None), "kv/slice/alerts", {"key": "another"}, replace=True)
    assert connected.is_authenticated()
    assert restore(empty, saved, kept)["differing"] == ["slice/alerts"]


@pytest.mark.parametrize("where", ["before the snapshot", "after the snapshot"])
def test_a_run_that_died_is_completed_by_the_next(saved: Saved, empty: Server, kept: Path, where: str,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        if where.startswith("before"):
            broken.setattr(bring_up, "_await_active", die)
        else:
            broken.setattr(snapshot, "await_sealed", die)
        with pytest.raises(KeyboardInterrupt):
            restore(empty, saved, kept)
    assert kept.stat().st_mode & 0o077 == 0
    if where.startswith("after"):
        snapshot.await_sealed(client.unauthenticated(empty.settings))
    assert restore(empty, saved, kept)["equal"] == 3
    assert not kept.exists()


def test_a_host_that_holds_another_store_is_refused_and_left_as_it_is(saved: Saved, empty: Server, kept: Path) -> None:
    other = open_store(empty)
    other.root().sys.enable_secrets_engine("kv", path="theirs", options={"version": "1"})
    empty.restart()
    with pytest.raises(GoliveError, match="the people's shares do not open the store of this host, so it holds another one"):
        restore(empty, saved, kept)
    other.unseal()
    assert "theirs/" in other.root().sys.list_mounted_secrets_engines()["data"]


def test_in_production_the_people_are_asked_and_the_next_run_compares(saved: Saved, empty: Server, kept: Path) -> None:
    alone = replace(saved.keepers, secret_keys=None)
    with pytest.raises(GoliveError, match="2 of lab-ada, lab-bob, lab-cy have to unseal it"):
        restore(empty, saved, kept, alone)
    bring_up.give_shares(client.unauthenticated(empty.settings), saved.keepers)     # they came
    snapshot.await_itself(empty.settings)
    assert restore(empty, saved, kept, alone)["equal"] == 3


def test_a_store_that_is_not_there_is_told(saved: Saved, empty: Server, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "START_S", 0.5)
    empty.kill()
    assert restoring.planned(at(empty, saved), kept) == ["restore"]
    with pytest.raises(GoliveError, match=r"restored on a single node that answers.*missing"):
        restore(empty, saved, kept)
    assert nodes.look(empty.settings, [empty.settings.address])[0].state == "missing"
