"""A second store opens the first by its transit key: nobody types a share, and without the second one it stays shut and says so."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pytest
from golive.store import bring_up, client, config, nodes, people, wanted
from golive.store.bring_up import Keepers

from .conftest import Opened, Server, await_that, open_store, prepare

ROOT = Path(__file__).resolve().parents[3]
PEOPLE = ["lab-ada", "lab-bob", "lab-cy"]


@dataclass
class World:
    transit: Opened
    store: Server
    keepers: Keepers
    want: wanted.Wanted

    def bring_up(self, *, dry: bool = False) -> set[tuple[str, str]]:
        found = bring_up.bring_up(self.store.settings, self.keepers, self.want, "slice-controller", dry=dry)
        return {(one["object"].partition(":")[0], one["op"]) for one in found}


def seal_key(transit: Opened, folder: Path) -> Path:
    """Make the key and a token that may use it and nothing else, as docs/how-to/auto-unseal.md says."""
    policy = "".join(f'path "transit/{verb}/golive" {{ capabilities = ["update"] }}\n' for verb in ("encrypt", "decrypt"))
    given = wanted.from_inventory({"mounts": {"transit/": {"type": "transit"}}, "policies": {"golive-seal": policy},
                                   "transit_keys": {"transit/golive": {"type": "aes256-gcm96"}}})
    config.apply(transit.root(), given, wanted.differences(given, config.current(transit.root(), given)))
    made = transit.root().auth.token.create_orphan(policies=["golive-seal"], period="24h")
    token = folder / "seal.token"
    client.private_file(token, made["auth"]["client_token"].encode())
    return token


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    first, second = tmp_path_factory.mktemp("transit"), tmp_path_factory.mktemp("store")
    transit_server = prepare(first)
    transit_server.start()
    transit = open_store(transit_server)
    token = seal_key(transit, second)
    store = prepare(second)
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
    template = (ROOT / "roles/secrets/templates/vault.hcl.j2").read_text()
    stanza = environment.from_string(template[template.index("{% if secrets_seal_transit %}"):]).render(
        secrets_seal_transit={"address": transit_server.settings.address, "key": "golive", "ca_file": str(transit_server.settings.ca_file)})
    file = second / "vault.hcl"
    file.write_text(file.read_text() + stanza.replace("/run/credentials/vault.service/seal.token", str(token)))
    store.start()
    keepers = Keepers(PEOPLE, people.enrol(second / "people", PEOPLE), 2, second / "shares", second / "people")
    yield World(transit, store, keepers, wanted.system_wants("slice", [str(second / "audit.log")], ["127.0.0.1/32"]))
    store.kill()
    transit_server.kill()


def test_it_is_initialised_with_recovery_shares_and_opens_by_itself(world: World) -> None:
    assert ("vault", "initialise") in world.bring_up(dry=True)
    done = world.bring_up()
    assert ("vault", "initialise") in done
    assert ("vault_policy", "create") in done
    assert world.bring_up() == set()
    assert not (world.keepers.folder / "root.enc").exists()
    assert world.store.settings.identity.is_file()
    client.write_secret(client.login(world.store.settings, None), "kv/slice/a", {"b": "kept"})


def test_after_a_restart_nobody_has_to_come(world: World) -> None:
    world.store.restart()
    await_that(lambda: nodes.look(world.store.settings, [world.store.settings.address])[0].state == "active")
    assert client.read_field(client.login(world.store.settings, None), "kv/slice/a", "b") == "kept"
    assert world.bring_up() == set()


def test_a_widened_policy_is_put_right_with_the_peoples_recovery_shares(world: World) -> None:
    root = bring_up._root(client.unauthenticated(world.store.settings), world.keepers)
    root.sys.create_or_update_acl_policy("slice-controller", 'path "*" { capabilities = ["read"] }')
    root.auth.token.revoke_self()
    assert world.bring_up() == {("vault_policy", "update")}


def test_without_the_other_store_it_does_not_start_and_says_why(world: World) -> None:
    world.transit.server.kill()
    world.store.kill()
    (world.store.folder / "out").write_bytes(b"")
    with pytest.raises(AssertionError):   # a store that cannot reach its seal does not even answer
        world.store.start()
    assert b"Seal configuration" in (world.store.folder / "out").read_bytes()
    world.transit.server.start()
    world.transit.unseal()
    world.store.start()
    await_that(lambda: nodes.look(world.store.settings, [world.store.settings.address])[0].state == "active")
    assert client.read_field(client.login(world.store.settings, None), "kv/slice/a", "b") == "kept"
